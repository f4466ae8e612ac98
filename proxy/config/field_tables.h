// The tables of this room, one function per area. Filters keep theirs beside their code (proxy/filters/table.h).
#pragma once
#include "proxy/filters/field_table.h"

namespace weft::config {

filters::FieldTables common_tables();
filters::FieldTables bootstrap_tables();
filters::FieldTables listener_tables();
filters::FieldTables socket_tables();
filters::FieldTables cluster_tables();
filters::FieldTables route_tables();

}  // namespace weft::config
