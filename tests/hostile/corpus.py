"""Statements made to escape or to hurt, by category: what an attacker of DataFusion and sqlparser would send.

`statements(world)` gives all of them. An `escape` must be refused; a `bomb` may be answered or refused, in time and within
memory; a `name` may resolve to a table of the asking tenant and to nothing else.
"""

from bombs import bombs, explains, requests
from case import Case

# Statements that change or tell something of the server. Each is sent as it is and in some of the `CARRIERS`.
COMMANDS = [
    "CREATE TABLE stolen AS SELECT * FROM logs",
    "CREATE OR REPLACE TABLE logs AS SELECT 1 AS x",
    "CREATE TEMPORARY TABLE t (a INT)",
    "CREATE UNBOUNDED EXTERNAL TABLE t (a VARCHAR) STORED AS CSV LOCATION '{secret_csv}'",
    "CREATE EXTERNAL TABLE passwd (line VARCHAR) STORED AS CSV LOCATION '/etc/passwd'",
    "CREATE EXTERNAL TABLE p STORED AS PARQUET LOCATION '{secret_parquet}'",
    "CREATE EXTERNAL TABLE j STORED AS JSON LOCATION '{data_dir}/cairn.json'",
    "CREATE EXTERNAL TABLE a STORED AS ARROW LOCATION 'http://127.0.0.1:{http_port}/x'",
    "CREATE EXTERNAL TABLE v STORED AS AVRO LOCATION 's3://bucket/x' OPTIONS ('aws.endpoint' 'http://127.0.0.1')",
    "CREATE EXTERNAL TABLE IF NOT EXISTS logs STORED AS PARQUET LOCATION '{segment}'",
    "CREATE VIEW v AS SELECT * FROM logs",
    "CREATE MATERIALIZED VIEW v AS SELECT * FROM logs",
    "CREATE SCHEMA s",
    "CREATE DATABASE d",
    "CREATE CATALOG c",
    "CREATE INDEX i ON logs (body)",
    "CREATE FUNCTION f(BIGINT) RETURNS BIGINT RETURN $1 + 1",
    "CREATE MACRO f(x) AS x + 1",
    "CREATE ROLE intruder",
    "CREATE SEQUENCE s",
    "CREATE TYPE t AS ENUM ('a')",
    "CREATE SECRET s (TYPE S3)",
    "CREATE EXTENSION dblink",
    "CREATE TRIGGER t BEFORE INSERT ON logs EXECUTE FUNCTION f()",
    "CREATE POLICY p ON logs",
    "CREATE SERVER s FOREIGN DATA WRAPPER w",
    "CREATE STAGE s URL='file:///'",
    "DROP TABLE logs",
    "DROP VIEW IF EXISTS logs CASCADE",
    "DROP SCHEMA public CASCADE",
    "DROP FUNCTION concat",
    "DROP DATABASE datafusion",
    "ALTER TABLE logs ADD COLUMN x INT",
    "ALTER TABLE logs RENAME TO mine",
    "ALTER SESSION SET x = 1",
    "ALTER ROLE me SUPERUSER",
    "TRUNCATE TABLE logs",
    "COMMENT ON TABLE logs IS 'x'",
    "ANALYZE TABLE logs COMPUTE STATISTICS",
    "VACUUM",
    "OPTIMIZE TABLE logs",
    "MSCK REPAIR TABLE logs",
    "REINDEX TABLE logs",
    "CACHE TABLE logs",
    "INSERT INTO logs (body) VALUES ('x')",
    "INSERT OVERWRITE logs SELECT * FROM logs",
    "INSERT INTO {other}.logs SELECT * FROM logs",
    "REPLACE INTO logs VALUES (1)",
    "UPDATE logs SET body = 'x'",
    "DELETE FROM logs",
    "DELETE FROM logs WHERE true RETURNING *",
    "MERGE INTO logs USING spans ON true WHEN MATCHED THEN DELETE",
    "COPY logs TO '{data_dir}/stolen.csv'",
    "COPY (SELECT * FROM logs) TO '/tmp/stolen.parquet' STORED AS PARQUET",
    "COPY (SELECT 1) TO 'http://127.0.0.1:{http_port}/v1/logs' STORED AS CSV",
    "COPY logs FROM '/etc/passwd'",
    "COPY logs FROM PROGRAM 'id'",
    "COPY (SELECT 1) TO STDOUT",
    "UNLOAD ('SELECT 1') TO 's3://x/y'",
    "LOAD DATA LOCAL INPATH '/etc/passwd' INTO TABLE logs",
    "LOAD 'httpfs'",
    "INSTALL httpfs",
    "EXPORT DATA OPTIONS(uri='x') AS SELECT 1",
    "ATTACH DATABASE '{data_dir}/catalog.sqlite' AS c",
    "DETACH DATABASE c",
    "SET datafusion.runtime.memory_limit = '64G'",
    "SET datafusion.execution.target_partitions = 10000",
    "SET datafusion.catalog.information_schema = true",
    "SET datafusion.sql_parser.dialect = 'duckdb'",
    "SET datafusion.execution.batch_size = 1000000000",
    "SET TIME ZONE 'UTC'",
    "SET SESSION AUTHORIZATION postgres",
    "SET ROLE postgres",
    "SET NAMES utf8",
    "SET @x = 1",
    "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    "RESET datafusion.runtime.memory_limit",
    "RESET ALL",
    "SHOW ALL",
    "SHOW datafusion.runtime.memory_limit",
    "SHOW TIME ZONE",
    "SHOW CREATE TABLE logs",
    "SHOW FUNCTIONS",
    "SHOW DATABASES",
    "SHOW SCHEMAS",
    "SHOW CATALOGS",
    "SHOW VARIABLES",
    "SHOW STATUS",
    "SHOW PROCESSLIST",
    "SHOW GRANTS",
    "SHOW VIEWS",
    "USE {other}",
    "USE DATABASE datafusion",
    "PREPARE p AS SELECT 1",
    "PREPARE p(BIGINT) AS SELECT * FROM logs WHERE 1 = $1",
    "EXECUTE p(1)",
    "EXECUTE IMMEDIATE 'SELECT 1'",
    "DEALLOCATE ALL",
    "DECLARE c CURSOR FOR SELECT 1",
    "FETCH NEXT FROM c",
    "CLOSE c",
    "BEGIN",
    "START TRANSACTION",
    "COMMIT",
    "ROLLBACK",
    "SAVEPOINT s",
    "LOCK TABLES logs WRITE",
    "KILL 1",
    "PRAGMA database_list",
    "LISTEN c",
    "NOTIFY c, 'x'",
    "DO $$ BEGIN PERFORM 1; END $$",
    "CALL system('id')",
    "GRANT ALL ON logs TO PUBLIC",
    "REVOKE ALL ON logs FROM PUBLIC",
    "DISCARD ALL",
    "FLUSH TABLES",
    "ASSERT 1 = 2",
    "RAISE 'x'",
    "PRINT 'x'",
    "RETURN 1",
    "IF 1 = 1 THEN SELECT 1; END IF",
    "WHILE 1 = 1 BEGIN SELECT 1; END",
    "RENAME TABLE logs TO x",
    "VALIDATE TABLE logs",
    "LIST @stage",
    "REMOVE @stage",
    "PUT file:///etc/passwd @stage",
    "HELP",
]

# What can stand around a command so that a check of the first word misses it.
CARRIERS = [
    "EXPLAIN {}",
    "EXPLAIN ANALYZE {}",
    "EXPLAIN VERBOSE {}",
    "EXPLAIN ANALYZE VERBOSE {}",
    "EXPLAIN FORMAT TREE {}",
    "EXPLAIN EXPLAIN {}",
    "DESCRIBE {}",
    "SELECT 1; {}",
    "{}; SELECT 1",
    ";;{}",
    "-- a query\n{}",
    "/* SELECT */ {}",
    "/* /* nested */ */ {}",
    "WITH x AS ({}) SELECT * FROM x",
    "WITH x AS (SELECT 1) {}",
    "SELECT * FROM ({}) AS x",
    "SELECT ({})",
    "SELECT 1 WHERE EXISTS ({})",
    "SELECT 1 UNION ALL {}",
    "({})",
    "\ufeff{}",
    "\u00a0{}",
    "\u2003{}",
    "\t\v\f\r\n{}",
    "PREPARE p AS {}",
    "SELECT 1 --\n; {}",
    "SELECT '\\'; {} --'",
    "SELECT $$x$$; {}",
    "SELECT 1 /*; */; {}",
    "/*!50000 {} */",
]


def commands(world):
    """Each command bare and in three carriers, in turns; every fourth in odd case."""
    for index, text in enumerate(COMMANDS):
        text = filled(text, world)
        yield Case("commands", "escape", text)
        for turn in range(2):
            carrier = CARRIERS[(index * 2 + turn) % len(CARRIERS)]
            carried = carrier.replace("{}", text)
            if (index + turn) % 4 == 3:
                carried = "".join(c.upper() if at % 2 else c.lower() for at, c in enumerate(carried))
            # The command stands in a comment or literal there.
            kind = "name" if carrier in ("/*!50000 {} */", "SELECT '\\'; {} --'") else "escape"
            yield Case("carried commands", kind, carried)


def filled(text, world):
    for name, value in vars(world).items():
        text = text.replace("{" + name + "}", str(value))
    return text


PATHS = [
    "/etc/passwd",
    "{secret}",
    "{secret_csv}",
    "{secret_parquet}",
    "{segment}",
    "{data_dir}/catalog.sqlite",
    "{data_dir}/cairn.json",
    "{data_dir}/../secret.csv",
    "../secret.csv",
    "file:///etc/passwd",
    "file:{secret_csv}",
    "FILE:///etc/passwd",
    "http://127.0.0.1:{http_port}/v1/logs",
    "https://localhost/x.parquet",
    "s3://bucket/key.parquet",
    "gs://bucket/key.parquet",
    "hdfs://host/x",
    "memory:///x",
    "/proc/self/environ",
    "/proc/self/maps",
    "/dev/zero",
    "/dev/stdin",
    "\\\\host\\share\\x.csv",
    "c:\\windows\\win.ini",
    "tenant={other}/logs/*.parquet",
    "{data_dir}/bucket/**/*.parquet",
    "x.parquet",
    ".",
    "",
    "~/.ssh/id_rsa",
]

TABLE_FUNCTIONS = [
    "read_csv", "read_parquet", "read_json", "parquet_scan", "csv_scan", "parquet_metadata", "metadata_cache", "glob",
    "read_blob", "read_text", "sqlite_scan", "pg_read_file", "pg_ls_dir", "lo_import", "load_file", "file", "url", "s3",
    "input", "remote", "delta_scan", "iceberg_scan", "statistics_cache", "list_files_cache", "arrow_scan",
]


def files(world):
    """Files and URLs in the place of tables and as arguments."""
    for index, path in enumerate(PATHS):
        path = filled(path, world)
        quoted = path.replace("'", "''")
        yield Case("files", "escape", f"SELECT * FROM '{quoted}'")
        forms = [
            f'SELECT * FROM "{path}"',
            f"SELECT * FROM `{path}`",
            f"SELECT * FROM [{path}]",
            f"SELECT * FROM $${path}$$",
            f"SELECT * FROM logs, '{quoted}'",
            f'SELECT * FROM logs JOIN "{path}" ON true',
            f"SELECT (SELECT count(*) FROM '{quoted}')",
            f"DESCRIBE '{quoted}'",
            f'SHOW COLUMNS FROM "{path}"',
            f"TABLE '{quoted}'",
            f"FROM '{quoted}'",
            f'SELECT * FROM U&"{path}"',
            f'SELECT * FROM "datafusion"."public"."{path}"',
            f"EXPLAIN SELECT * FROM '{quoted}'",
            f"SELECT * FROM e'{quoted}'",
        ]
        yield Case("files", "escape", forms[index % len(forms)])
    for index, function in enumerate(TABLE_FUNCTIONS):
        path = filled(PATHS[index % 8], world)
        yield Case("table functions", "escape", f"SELECT * FROM {function}('{path}')")
        yield Case("table functions", "escape", f"SELECT {function}('{path}') FROM logs LIMIT 1")
    for call in ["range(10)", "generate_series(1, 10)", "unnest(range(3)) WITH ORDINALITY", "TABLE(generate_series(1, 3))"]:
        yield Case("table functions", "name", f"SELECT * FROM {call}")


METADATA = [
    "information_schema.tables", "information_schema.columns", "information_schema.views", "information_schema.schemata",
    "information_schema.df_settings", "information_schema.routines", "information_schema.parameters",
    "INFORMATION_SCHEMA.DF_SETTINGS", '"information_schema"."df_settings"', "datafusion.information_schema.df_settings",
    "pg_catalog.pg_tables", "pg_catalog.pg_class", "pg_catalog.pg_settings", "pg_shadow", "pg_roles", "sqlite_master",
    "sqlite_schema", "system.tables", "system.runtime.queries", "sys.tables", "mysql.user", "performance_schema.threads",
    "duckdb_settings", "dba_users", "dual", "default.default.x", "datafusion.system.x",
]

# Other tenants, by all the names that a path, a catalog or a schema could have.
OTHERS = [
    "{other}.logs", '"{other}"."logs"', "{other}.public.logs", "datafusion.{other}.logs", '"tenant={other}".logs',
    '"tenant={other}/logs"', "\"logs/../../tenant={other}/logs\"", '"{other}/logs"', "logs.{other}", "{other}",
    '"{other}.logs"', "public.{other}.logs", "a.b.c.logs", "a.b.c.d.logs", '"logs "', '" logs"', '"lo\u200bgs"', '"l\u043egs"', '"logs\u0000"',
    '"LOGS"', "series", "samples", "histograms", "dead_letters_all", "wal", "segments", "catalog", "digests", "logs_all",
    "logs@{other}", "logs$partitions", "logs FOR SYSTEM_TIME AS OF now()", "logs VERSION AS OF 1", "ONLY_logs",
]

OWN_NAMES = [
    "public.logs", "datafusion.public.logs", '"public"."logs"', "LOGS", "Logs", '"logs"', "logs AS \u00fcbung", "dead_letters",
    "logs AS \"'; DROP TABLE logs; --\"", "logs AS information_schema", "logs l(a)",
]


def names(world):
    """Metadata, other tenants, and names that look like one's own."""
    for name in METADATA:
        yield Case("metadata", "escape", f"SELECT * FROM {name}")
    for name in OTHERS:
        yield Case("other tenants", "escape", f"SELECT * FROM {filled(name, world)}")
    for name in OWN_NAMES:
        yield Case("own names", "name", f"SELECT count(*) FROM {name}")
    other = world.other
    yield Case("other tenants", "name", f"SELECT count(*) FROM logs WHERE tenant = '{other}'")
    yield Case("other tenants", "name", f"SELECT * FROM logs WHERE resource_attributes['tenant'] = '{other}'")
    yield Case("other tenants", "name", f"WITH \"{other}.logs\" AS (SELECT * FROM logs) SELECT count(*) FROM \"{other}.logs\"")
    yield Case("other tenants", "name", f"DESCRIBE {other}.logs")
    yield Case("other tenants", "name", f"SHOW COLUMNS FROM {other}.logs")
    yield Case("other tenants", "name", f"SHOW TABLES FROM {other}")
    yield Case("other tenants", "name", f"SHOW TABLES LIKE '%{other}%'")


TELLING = [
    "version()", "current_user", "session_user", "current_role", "current_catalog", "current_schema()", "current_database()",
    "current_setting('x')", "pg_backend_pid()", "inet_server_addr()", "pg_sleep(10)", "sleep(10)", "benchmark(1000000, 1)",
    "getenv('PATH')", "input_file_name()", "file_row_index()", "xp_cmdshell('id')", "load_extension('x')", "system('id')",
    "pg_read_file('/etc/passwd')", "pg_relation_filepath('logs')", "lo_export(1, '/tmp/x')", "dblink('x', 'SELECT 1')",
    "arrow_cast(1, 'FixedSizeBinary(2000000000)')", "arrow_metadata(body)", "with_metadata(body, 'a', 'b')", "levenshtein(body, body)",
    "query_to_xml('SELECT 1', true, true, '')", "database_to_xml(true, true, '')", "xmlparse(document '<a/>')", "txid_current()",
    "union_extract(body, 'a')", "array_transform(make_array(1), x -> x)", "aes_decrypt(body, 'k')", "java_method('a', 'b')",
    "@@version", "@x", "@@global.secure_file_priv", "$1", "?", ":name", "$name", "@@datafusion.runtime.memory_limit",
    "datafusion.public.length(body)", "pg_catalog.version()", "public.concat(body)", "nextval('s')", "setval('s', 1)",
]


def functions():
    """Functions and variables that tell about the server or do more than compute."""
    for call in TELLING:
        yield Case("telling functions", "escape", f"SELECT {call} FROM logs LIMIT 1")


CLAUSES = [
    "SELECT * INTO stolen FROM logs",
    "SELECT * FROM logs INTO OUTFILE '{data_dir}/x'",
    "SELECT TOP 5 * FROM logs",
    "SELECT * FROM logs FOR UPDATE",
    "SELECT * FROM logs FOR SHARE NOWAIT",
    "SELECT * FROM logs FOR JSON AUTO",
    "SELECT * FROM logs SETTINGS max_memory_usage = 0",
    "SELECT * FROM logs FORMAT Native",
    "SELECT * FROM logs TABLESAMPLE SYSTEM (10)",
    "SELECT * FROM logs LATERAL VIEW explode(attributes) t AS a",
    "SELECT * FROM logs PREWHERE true",
    "SELECT * FROM logs START WITH 1 = 1 CONNECT BY 1 = 1",
    "SELECT * FROM logs CLUSTER BY body",
    "SELECT * FROM logs SORT BY body",
    "SELECT * FROM logs WITH (NOLOCK)",
    "SELECT * FROM logs PARTITION (p0)",
    "SELECT * FROM logs USE INDEX (i)",
    "SELECT * FROM logs MATCH_RECOGNIZE (PATTERN (a) DEFINE a AS true)",
    "SELECT * FROM logs PIVOT (count(body) FOR severity_number IN (1))",
    "SELECT * FROM logs UNPIVOT (a FOR b IN (body))",
    "SELECT * FROM JSON_TABLE('[1]', '$[*]' COLUMNS (a INT PATH '$')) t",
    "SELECT * FROM OPENJSON('[1]')",
    "SELECT * FROM XMLTABLE('/a' PASSING '<a/>' COLUMNS x INT)",
    "FROM logs |> SELECT body",
    "SELECT AS STRUCT 1",
    "SELECT body FROM logs WINDOW w AS (ORDER BY body) QUALIFY 1",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT count(*) FROM r",
    "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT a.n FROM r a, r b) SELECT count(*) FROM r",
    "WITH RECURSIVE r AS (SELECT 'a' AS s UNION ALL SELECT s || s FROM r) SELECT max(length(s)) FROM r",
    "SELECT * FROM (WITH RECURSIVE r AS (SELECT 1 AS n UNION SELECT n FROM r) SELECT * FROM r)",
    "SELECT EXISTS (WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT * FROM r)",
    "SELECT 1 WHERE 1 IN (INSERT INTO logs VALUES (1) RETURNING 1)",
    "SELECT (DELETE FROM logs RETURNING 1)",
    "WITH x AS (UPDATE logs SET body = '' RETURNING *) SELECT * FROM x",
    "SELECT CAST(1 AS STRUCT<a MAP<INT, INT>>)",
    "SELECT * FROM logs; DROP TABLE logs --",
    "SELECT 1; SELECT 2",
    "SELECT 1;;SELECT 2",
    "",
    " ",
    ";",
    "--",
    "/* never closed",
    "'never closed",
    '"never closed',
    "$tag$never closed",
    "SELECT",
    "SELECT FROM",
    "EXPLAIN",
    "EXPLAIN ANALYZE",
    "DESCRIBE",
    "WITH x AS",
    "VALUES",
    "\u0000",
    "SELECT 1\u0000; DROP TABLE logs",
    "\u202eSELECT 1",
    "ＳＥＬＥＣＴ 1",
    "SELECT\u180e1",
]


def clauses(world):
    for text in CLAUSES:
        yield Case("clauses", "escape", filled(text, world))


def statements(world):
    """Every case of the corpus, each different from the others."""
    seen = set()
    sources = [commands(world), files(world), names(world), functions(), clauses(world), explains(), bombs(), requests()]
    for source in sources:
        for case in source:
            if case.identity not in seen:
                seen.add(case.identity)
                yield case
