"""Statements and requests that ask for too much: memory, time, depth, length, and parts of a request out of their range."""

from case import Case

KIB = 1024

# Values that grow: constants that planning folds, columns that run by row, and both multiplied.
GROWING = [
    "SELECT length(repeat('a', 1000000000))",
    "SELECT repeat(repeat(repeat('abcdefgh', 1000), 1000), 1000)",
    "SELECT length(lpad('a', 2000000000, 'b'))",
    "SELECT length(rpad(body, 2000000000, body)) FROM logs",
    "SELECT lpad('\U0001f600', 262145, '\U0001f600')",
    "SELECT array_length(range(0, 300000000))",
    "SELECT generate_series(1, 1000000000000)",
    "SELECT range(-9223372036854775808, 9223372036854775807, 1)",
    "SELECT range(9223372036854775807, -9223372036854775808, -1)",
    "SELECT generate_series(TIMESTAMP '1700-01-01', TIMESTAMP '2200-01-01', INTERVAL '1 nanosecond')",
    "SELECT generate_series(DATE '0001-01-01', DATE '9999-12-31', INTERVAL '1 day')",
    "SELECT range(1, 10, 0)",
    "SELECT range(DATE '2020-01-01', DATE '2021-01-01', INTERVAL '0 day')",
    "SELECT generate_series(TIMESTAMP '2020-01-01', TIMESTAMP '2020-01-02', INTERVAL '1 month -30 days')",
    "SELECT array_repeat(array_repeat(array_repeat(1, 10000), 10000), 10000)",
    "SELECT array_repeat(1, 9223372036854775807)",
    "SELECT array_repeat(1, -9223372036854775808)",
    "SELECT array_resize(make_array(1), 2000000000, 0)",
    "SELECT array_resize(make_array(), 9223372036854775807)",
    "SELECT repeat('a', 9223372036854775807)",
    "SELECT repeat('a', -1)",
    "SELECT repeat(body, 1000000) FROM logs",
    "SELECT repeat(body, severity_number * 100000000) FROM logs",
    "SELECT repeat('a', CAST(CAST('1000000000' AS VARCHAR) AS BIGINT))",
    "SELECT repeat('a', CASE WHEN now() > now() THEN 1 ELSE 1000000000 END)",
    "SELECT repeat('a', (SELECT max(severity_number) * 100000000 FROM logs))",
    "SELECT repeat('a', length(repeat('a', 1000000)) * 1000)",
    "SELECT replace(repeat('a', 1000), 'a', repeat('b', 1000000))",
    "SELECT replace(replace(replace(repeat('a', 999), 'a', repeat('a', 999)), 'a', repeat('a', 999)), 'a', repeat('a', 999))",
    "SELECT regexp_replace(repeat('a', 1000), '', repeat('b', 1000), 'g')",
    "SELECT regexp_replace(body, '(.)', '\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1\\1', 'g') FROM logs",
    "SELECT regexp_replace(regexp_replace(regexp_replace(repeat('ab', 9000), '(.*)', '$1$1$1$1$1$1$1$1$1$1', 'g'), '(.*)',"
    " '$1$1$1$1$1$1$1$1$1$1', 'g'), '(.*)', '$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1$1', 'g')",
    "SELECT translate(repeat('a', 1000000), 'a', '\U0001f600')",
    "SELECT overlay(repeat('a', 1000000) placing repeat('b', 1000000) from 1 for 0)",
    "SELECT array_to_string(range(0, 60000), repeat('x', 10000))",
    "SELECT string_to_array(repeat('a,', 500000), ',')",
    "SELECT concat_ws(repeat(',', 100000), " + ", ".join(["'a'"] * 200) + ")",
    "SELECT to_char(now(), repeat('%c%c%c%c', 10000))",
    "SELECT to_char(now(), repeat('%9999999999d', 10))",
    "SELECT to_char(timestamp, repeat('%+', 10000)) FROM logs",
    "SELECT encode(repeat('a', 1000000), 'hex')",
    "SELECT decode(repeat('ff', 500000), 'hex')",
    "SELECT sha512(repeat('a', 1000000))",
    "SELECT digest(body || repeat('x', 100000), 'blake3') FROM logs",
    "SELECT reverse(repeat('\U0001f600', 200000))",
    "SELECT initcap(repeat('a b ', 200000))",
    "SELECT upper(repeat('\u0149', 400000))",
    "SELECT factorial(20), factorial(21)",
    "SELECT factorial(9223372036854775807)",
    "SELECT power(9e999, 9e999)",
    "SELECT power(10, 1000000000)",
    "SELECT power(CAST(99 AS DECIMAL(38,0)), 1000000)",
    "SELECT round(1.5, 2147483647), trunc(1.5, -2147483648), round(1.5, -2147483648)",
    "SELECT to_hex(-9223372036854775808), chr(1114111), chr(2147483647)",
    "SELECT chr(-1)",
    "SELECT gcd(-9223372036854775808, -1), lcm(9223372036854775807, 9223372036854775806)",
    "SELECT lcm(-9223372036854775808, -1)",
    "SELECT abs(-9223372036854775808)",
    "SELECT -9223372036854775808 / -1",
    "SELECT -9223372036854775808 % -1",
    "SELECT 1 % 0",
    "SELECT CAST(-9223372036854775808 AS BIGINT) * -1",
    "SELECT substr('abc', -9223372036854775808, 9223372036854775807)",
    "SELECT substr('abc', 1, -1)",
    "SELECT left('abc', -9223372036854775808), right('abc', -9223372036854775808)",
    "SELECT split_part('a,b', ',', -9223372036854775808)",
    "SELECT substr_index('a.b.c', '.', -9223372036854775808)",
    "SELECT overlay('abc' placing 'x' from -9223372036854775808 for 9223372036854775807)",
    "SELECT array_slice(range(0, 10), -9223372036854775808, 9223372036854775807, 9223372036854775807)",
    "SELECT array_element(range(0, 10), -9223372036854775808)",
    "SELECT array_position(range(0, 10), 1, -9223372036854775808)",
    "SELECT array_remove_n(range(0, 10), 1, -9223372036854775808)",
    "SELECT array_replace_n(range(0, 10), 1, 2, 9223372036854775807)",
    "SELECT find_in_set('a', repeat('b,', 400000))",
    "SELECT array_union(range(0, 60000), range(30000, 90000))",
    "SELECT array_except(range(0, 60000), range(30000, 90000)), array_intersect(range(0, 60000), range(0, 60000))",
    "SELECT array_has_all(range(0, 60000), range(0, 60000))",
    "SELECT arrays_zip(range(0, 30000), range(0, 30000), range(0, 30000))",
    "SELECT array_sort(range(0, 60000), 'DESC', 'NULLS FIRST')",
    "SELECT array_distinct(array_concat(range(0, 30000), range(0, 30000)))",
    "SELECT flatten(array_repeat(range(0, 500), 60))",
    "SELECT cardinality(array_repeat(array_repeat(array_repeat(array_repeat(1, 10), 10), 10), 10))",
    "SELECT map(range(0, 20000), range(0, 20000))",
    "SELECT map_extract(map(range(0, 20000), range(0, 20000)), 5)",
    "SELECT regexp_count(repeat('a', 1000000), 'a'), regexp_match(repeat('a', 1000000), '(a)(a)(a)')",
    "SELECT uuid() FROM logs a, logs b LIMIT 2000000",
    "SELECT random() FROM unnest(range(0, 60000)) a, unnest(range(0, 60000)) b",
    "SELECT CAST(repeat('9', 1000000) AS DECIMAL(38, 10))",
    "SELECT CAST(repeat('9', 1000000) AS DOUBLE)",
    "SELECT CAST(body AS DECIMAL(76, 76)) FROM logs",
    "SELECT CAST('{' AS STRUCT<a INT>)",
    "SELECT make_date(2147483647, 1, 1)",
    "SELECT make_date(-2147483648, 12, 31)",
    "SELECT make_time(99, 99, 99)",
    "SELECT to_timestamp(9223372036854775807), to_timestamp_seconds(9223372036854775807)",
    "SELECT to_timestamp('99999999-01-01')",
    "SELECT to_timestamp('2020-01-01', " + ", ".join(["'%Y'"] * 200) + ")",
    "SELECT to_unixtime('0000-00-00')",
    "SELECT from_unixtime(-9223372036854775808)",
    "SELECT date_trunc('nanosecond', TIMESTAMP '2262-04-11 23:47:16.854775807')",
    "SELECT date_trunc('century', TIMESTAMP '1677-09-21 00:12:44')",
    "SELECT date_bin(INTERVAL '1 nanosecond', now(), TIMESTAMP '1677-09-22 00:00:00')",
    "SELECT date_bin(INTERVAL '0 second', now())",
    "SELECT date_bin(INTERVAL '-1 second', now())",
    "SELECT date_bin(INTERVAL '178956970 years', now())",
    "SELECT date_bin(INTERVAL '1 month', TIMESTAMP '1677-09-22', TIMESTAMP '2262-04-11')",
    "SELECT date_part('epoch', INTERVAL '178956970 years'), extract(nanosecond FROM INTERVAL '9999999 days')",
    "SELECT now() + INTERVAL '178956970 years'",
    "SELECT now() - INTERVAL '106752 days' - INTERVAL '106752 days'",
    "SELECT INTERVAL '99999999999999999999 years'",
    "SELECT INTERVAL '1' YEAR * 9223372036854775807",
    "SELECT TIMESTAMP '2262-04-11 23:47:16.854775807' + INTERVAL '1 nanosecond'",
    "SELECT DATE '9999-12-31' + INTERVAL '2147483647 days'",
    "SELECT DATE '-262144-01-01'",
    "SELECT TIMESTAMP '2020-01-01 00:00:00 +99:99'",
    "SELECT now() AT TIME ZONE 'Not/AZone'",
    "SELECT now() AT TIME ZONE '+99:99'",
    "SELECT to_local_time(now() AT TIME ZONE 'Antarctica/Troll')",
    "SELECT time_bucket(INTERVAL '1 nanosecond', timestamp), count(*) FROM logs GROUP BY 1",
    "SELECT time_bucket(INTERVAL '0 seconds', timestamp) FROM logs",
    "SELECT time_bucket(INTERVAL '-9999 years', timestamp) FROM logs",
    "SELECT CAST('x' AS FIXED_SIZE_BINARY(2000000000))",
    "SELECT CAST(NULL AS BINARY(2147483647))",
    "SELECT CAST(NULL AS VARCHAR(9223372036854775807))",
    "SELECT CAST(1 AS DECIMAL(999, 999))",
    "SELECT CAST(1 AS DECIMAL(38, -128))",
    "SELECT CAST(1 AS TIMESTAMP(99))",
    "SELECT CAST(1e308 AS DECIMAL(38, 38)), 1e308 * 10, CAST(1e308 AS BIGINT)",
    "SELECT 1e99999, -1e99999, 1e-99999",
    "SELECT 99999999999999999999999999999999999999 * 99999999999999999999999999999999999999",
    "SELECT 0x" + "f" * 1000,
    "SELECT X'" + "ff" * 10000 + "'",
    "SELECT 1" + "0" * 10000,
    "SELECT 0." + "1" * 10000,
]

# Rows that grow: few words that make many rows, groups, windows or states.
ROWS = [
    "SELECT count(*) FROM unnest(range(0, 60000)) a, unnest(range(0, 60000)) b",
    "SELECT count(*) FROM unnest(range(0, 60000)) a, unnest(range(0, 60000)) b, unnest(range(0, 60000)) c",
    "SELECT count(*) FROM logs a, logs b, logs c",
    "SELECT count(*) FROM logs a CROSS JOIN logs b CROSS JOIN logs c CROSS JOIN logs d CROSS JOIN logs e",
    "SELECT count(*) FROM logs a JOIN logs b ON a.body <> b.body JOIN logs c ON b.body <> c.body",
    "SELECT count(*) FROM logs a JOIN logs b ON length(a.body) + length(b.body) > 0 JOIN logs c ON true",
    "SELECT count(*) FROM logs a FULL JOIN logs b ON a.severity_number = b.severity_number FULL JOIN logs c ON"
    " a.severity_number = c.severity_number",
    "SELECT * FROM logs a, logs b ORDER BY a.body || b.body",
    "SELECT a.body, b.body FROM logs a, logs b, logs c ORDER BY random()",
    "SELECT DISTINCT a.body || b.body FROM logs a, logs b",
    "SELECT DISTINCT a.body, b.body, c.body FROM logs a, logs b, logs c",
    "SELECT count(DISTINCT a.body || b.body || c.body) FROM logs a, logs b, logs c",
    "SELECT approx_distinct(a.body || b.body) FROM logs a, logs b, logs c",
    "SELECT length(string_agg(a.body, b.body)) FROM logs a, logs b",
    "SELECT string_agg(a.body || b.body, ',') FROM logs a, logs b",
    "SELECT array_agg(a.body) FROM logs a, logs b",
    "SELECT array_agg(DISTINCT a.body || b.body) FROM logs a, logs b",
    "SELECT array_agg(a.body ORDER BY b.body, a.body) FROM logs a, logs b",
    "SELECT array_length(array_agg(repeat(a.body, 100))) FROM logs a, logs b",
    "SELECT array_agg(x) FROM (SELECT array_agg(a.body) AS x FROM logs a, logs b GROUP BY a.body) t",
    "SELECT median(random()) FROM logs a, logs b",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a.severity_number) FROM logs a, logs b",
    "SELECT approx_percentile_cont(0.999, 1000000000) WITHIN GROUP (ORDER BY a.severity_number) FROM logs a, logs b",
    "SELECT nth_value(a.body, 1000000000) FROM logs a, logs b",
    "SELECT first_value(a.body ORDER BY a.body || b.body) FROM logs a, logs b",
    "SELECT a.body || b.body, count(*) FROM logs a, logs b GROUP BY 1",
    "SELECT a.body || b.body, count(*) FROM logs a, logs b GROUP BY 1 ORDER BY 2 DESC LIMIT 1",
    "SELECT random(), count(*) FROM logs a, logs b GROUP BY 1",
    "SELECT body, array_agg(body) OVER (ORDER BY body ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) FROM logs",
    "SELECT string_agg(body, ',') OVER (ORDER BY timestamp) FROM logs",
    "SELECT sum(n) OVER (ORDER BY n ROWS BETWEEN 1000000 PRECEDING AND 1000000 FOLLOWING) FROM unnest(range(0, 60000)) t(n)",
    "SELECT min(n) OVER (ORDER BY n RANGE BETWEEN 9223372036854775807 PRECEDING AND CURRENT ROW) FROM unnest(range(0, 60000)) t(n)",
    "SELECT max(n) OVER (ORDER BY n DESC GROUPS BETWEEN 100000 PRECEDING AND 100000 FOLLOWING) FROM unnest(range(0, 60000)) t(n)",
    "SELECT lag(n, 9223372036854775807) OVER (ORDER BY n), lead(n, -9223372036854775808) OVER (ORDER BY n) FROM unnest(range(0, 9)) t(n)",
    "SELECT ntile(9223372036854775807) OVER (ORDER BY n) FROM unnest(range(0, 9)) t(n)",
    "SELECT ntile(0) OVER (ORDER BY n) FROM unnest(range(0, 9)) t(n)",
    "SELECT row_number() OVER (PARTITION BY random() ORDER BY random()) FROM logs a, logs b",
    "SELECT count(*) OVER () FROM logs a, logs b, logs c LIMIT 1",
    "SELECT n, row_number() OVER (ORDER BY n), rank() OVER (ORDER BY -n), dense_rank() OVER (ORDER BY n % 7),"
    " percent_rank() OVER (ORDER BY n % 13), cume_dist() OVER (ORDER BY n % 17) FROM unnest(range(0, 60000)) t(n)",
    "SELECT unnest(range(0, 60000)) FROM logs",
    "SELECT unnest(range(0, 60000)), unnest(range(0, 60000)), unnest(range(0, 60000)) FROM logs",
    "SELECT unnest(unnest(array_repeat(range(0, 1000), 30))) FROM logs",
    "SELECT count(*) FROM (SELECT unnest(range(0, 60000)) FROM logs) a, (SELECT unnest(range(0, 60000)) FROM logs) b",
    "SELECT a.*, b.*, c.* FROM logs a, logs b, logs c",
    "SELECT repeat(a.body, 100) FROM logs a, logs b",
    "SELECT a.*, repeat(b.body, 500) FROM logs a, logs b ORDER BY 1 LIMIT 100000 OFFSET 1000000",
    "SELECT * FROM logs LIMIT 9223372036854775807 OFFSET 9223372036854775807",
    "SELECT * FROM logs LIMIT -1",
    "SELECT * FROM logs LIMIT 99999999999999999999999",
    "SELECT * FROM logs LIMIT (SELECT count(*) FROM logs a, logs b, logs c)",
    "SELECT count(*) FROM logs a WHERE EXISTS (SELECT 1 FROM logs b, logs c WHERE a.body < b.body AND b.body < c.body)",
    "SELECT (SELECT count(*) FROM logs b WHERE b.body <> a.body) FROM logs a",
    "SELECT (SELECT max(c.body) FROM logs b, logs c WHERE b.body <> a.body) FROM logs a",
    "SELECT count(*) FROM logs a WHERE body NOT IN (SELECT b.body || c.body FROM logs b, logs c)",
    "SELECT count(*) FROM logs a WHERE severity_number > ALL (SELECT b.severity_number FROM logs b, logs c)",
    "SELECT count(*) FROM logs a, LATERAL (SELECT * FROM logs b, logs c WHERE b.body <> a.body) x",
    "SELECT * FROM logs a, LATERAL (SELECT unnest(range(0, 60000)) AS n WHERE a.body <> '') x",
    "SELECT count(*) FROM logs a NATURAL JOIN logs b NATURAL JOIN logs c",
    "SELECT body FROM logs EXCEPT ALL SELECT a.body || b.body FROM logs a, logs b",
    "SELECT body FROM logs INTERSECT SELECT a.body || b.body FROM logs a, logs b, logs c",
    "SELECT count(*) FROM (SELECT * FROM logs UNION SELECT * FROM logs UNION SELECT * FROM logs)",
    "SELECT corr(a.severity_number, b.severity_number), regr_slope(a.severity_number, b.severity_number) FROM logs a, logs b, logs c",
    "SELECT stddev(CAST(n AS DOUBLE)), var_pop(n) FROM unnest(range(0, 60000)) t(n), unnest(range(0, 60000)) u(m)",
    "SELECT sum(CAST(n AS DECIMAL(38, 0)) * CAST(m AS DECIMAL(38, 0))) FROM unnest(range(0, 60000)) t(n), unnest(range(0, 60000)) u(m)",
    "SELECT count(*) FROM unnest(range(0, 60000)) t(n), unnest(range(0, 60000)) u(m) WHERE sha512(repeat(CAST(n * m AS VARCHAR), 100))"
    " = sha512('x')",
    "SELECT count(*) FROM unnest(range(0, 60000)) t(n), unnest(range(0, 60000)) u(m) WHERE regexp_like(CAST(n * m AS VARCHAR), '(.*)(.*)(.*)x')",
    "SELECT count(*) FROM logs a, logs b WHERE regexp_like(a.body, b.body)",
    "SELECT count(*) FROM logs a, logs b WHERE regexp_like(a.body, '(' || b.body || '){1,50}')",
    "SELECT count(*) FROM logs a, logs b WHERE a.body LIKE '%' || b.body || '%'",
    "SELECT count(*) FROM logs a, logs b WHERE strpos(repeat(a.body, 100), b.body) > 0",
    "SELECT count(attributes['a' || a.severity_number]) FROM logs a, unnest(range(0, 60000)) t(n)",
    "SELECT time_bucket(INTERVAL '1 second', a.timestamp), count(*) FROM logs a, logs b, logs c GROUP BY 1",
]

REGEXES = [
    "(a*)*b", "(a+)+$", "(a|aa)+$", "(.*)*(.*)*(.*)*x", "((a{1000}){1000}){1000}", "a{100000}", "(a{0,1000}){0,1000}",
    "[" + "".join(chr(0x4E00 + 2 * at) for at in range(2000)) + "]{500}", "\\pL{1000}", "(\\w{100}){100}", "(?i)" + "k" * 10000,
    "(" * 500 + "a" + ")" * 500, "a|" * 20000 + "b", "(?:" * 5000, "[[:alpha:][:digit:]&&[^a]]{1000}", "\\x{110000}", "(?P<n>a)(?P<n>b)",
    "(a)\\1", "(?=a)", "(?<=a)b", "\\", "[", "*", "(?u-u)\\xff", "^" * 10000, ".{0,100000}", "(((((.{10}){10}){10}){10}){10})",
]

LIKES = ["%a" * 5000 + "%", "_" * 30000, "%" * 30000, "\\" * 30001, "%_" * 10000, "a\\"]


def nested(name, make, sizes):
    """One statement for each size of a shape."""
    for size in sizes:
        yield Case(f"deep: {name}", "bomb", make(size))


# Shapes that grow with a number: nesting and chains. A chain becomes a tree that is as deep as it is long.
SHAPES = {
    "parentheses": lambda n: "SELECT " + "(" * n + "1" + ")" * n,
    "functions": lambda n: "SELECT " + "abs(" * n + "1" + ")" * n,
    "not": lambda n: "SELECT " + "NOT " * n + "true",
    "minus": lambda n: "SELECT " + "- " * n + "1",
    "tilde": lambda n: "SELECT " + "~ " * n + "1",
    "sub-selects": lambda n: "SELECT * FROM " + "(SELECT * FROM " * n + "logs" + ") AS x" * n,
    "scalar sub-selects": lambda n: "SELECT " + "(SELECT " * n + "1" + ")" * n,
    "exists": lambda n: "SELECT 1 WHERE " + "EXISTS (SELECT 1 WHERE " * n + "true" + ")" * n,
    "in sub-selects": lambda n: "SELECT 1 WHERE " + "1 IN (SELECT 1 WHERE " * n + "true" + ")" * n,
    "case": lambda n: "SELECT " + "CASE WHEN true THEN " * n + "1" + " END" * n,
    "case when": lambda n: "SELECT " + "CASE WHEN " * n + "true" + " THEN true END" * n,
    "casts": lambda n: "SELECT " + "CAST(" * n + "1" + " AS BIGINT)" * n,
    "double colons": lambda n: "SELECT 1" + "::BIGINT::VARCHAR" * (n // 2),
    "subscripts": lambda n: "SELECT attributes" + "['a']" * n + " FROM logs",
    "array literals": lambda n: "SELECT " + "[" * n + "1" + "]" * n,
    "make_array": lambda n: "SELECT " + "make_array(" * n + "1" + ")" * n,
    "struct": lambda n: "SELECT " + "struct(" * n + "1" + ")" * n,
    "array types": lambda n: "SELECT CAST(NULL AS " + "ARRAY<" * n + "BIGINT" + ">" * n + ")",
    "struct types": lambda n: "SELECT CAST(NULL AS " + "STRUCT<a " * n + "BIGINT" + ">" * n + ")",
    "plus": lambda n: "SELECT 1" + " + 1" * n,
    "concatenation": lambda n: "SELECT 'a'" + " || 'a'" * n,
    "or": lambda n: "SELECT 1 FROM logs WHERE severity_number = 0" + " OR severity_number = 1" * n,
    "and": lambda n: "SELECT 1 FROM logs WHERE severity_number <> 0" + " AND severity_number <> 1" * n,
    "is null": lambda n: "SELECT 1" + " IS NULL" * n,
    "between": lambda n: "SELECT 1" + " BETWEEN 0 AND 1" * n,
    "collate": lambda n: "SELECT 'a'" + " COLLATE x" * n,
    "at time zone": lambda n: "SELECT now()" + " AT TIME ZONE 'UTC'" * n,
    "comparison": lambda n: "SELECT 1" + " = 1" * n,
    "like": lambda n: "SELECT 'a'" + " LIKE 'a'" * n,
    "union": lambda n: "SELECT 1" + " UNION SELECT 1" * n,
    "union all": lambda n: "SELECT 1" + " UNION ALL SELECT 1" * n,
    "except": lambda n: "SELECT 1" + " EXCEPT SELECT 1" * n,
    "parenthesised unions": lambda n: "(" * n + "SELECT 1" + " UNION SELECT 1)" * n,
    "joins": lambda n: "SELECT 1 FROM logs" + " JOIN logs USING (body)" * n,
    "parenthesised joins": lambda n: "SELECT 1 FROM " + "(" * n + "logs" + " CROSS JOIN logs)" * n,
    "commas in from": lambda n: "SELECT 1 FROM logs" + ", logs" * n,
    "select list": lambda n: "SELECT 1" + ", 1" * n,
    "wide star": lambda n: "SELECT *" + ", *" * n + " FROM logs",
    "in list": lambda n: "SELECT 1 FROM logs WHERE severity_number IN (1" + ", 2" * n + ")",
    "case branches": lambda n: "SELECT CASE severity_number" + " WHEN 1 THEN 2" * n + " END FROM logs",
    "values": lambda n: "VALUES (1)" + ", (1)" * n,
    "wide values": lambda n: "VALUES (1" + ", 1" * n + ")",
    "order by": lambda n: "SELECT body FROM logs ORDER BY body" + ", body" * n,
    "group by": lambda n: "SELECT 1 FROM logs GROUP BY body" + ", body" * n,
    "arguments": lambda n: "SELECT concat('a'" + ", 'a'" * n + ")",
    "coalesce": lambda n: "SELECT coalesce(body" + ", body" * n + ") FROM logs",
    "aliases": lambda n: "WITH a0 AS (SELECT 1 AS x)" + "".join(f", a{i + 1} AS (SELECT x + x AS x FROM a{i})" for i in range(n)) + f" SELECT * FROM a{n}",
    "with joins": lambda n: "WITH a0 AS (SELECT 1 AS x)" + "".join(f", a{i + 1} AS (SELECT a.x FROM a{i} a, a{i} b)" for i in range(n)) + f" SELECT count(*) FROM a{n}",
    "windows": lambda n: "SELECT sum(n) OVER (ORDER BY n)" + "".join(f", sum(n) OVER (ORDER BY n + {i})" for i in range(n)) + " FROM unnest(range(0, 9)) t(n)",
    "named windows": lambda n: "SELECT 1 FROM logs WINDOW w0 AS (ORDER BY body)" + "".join(f", w{i + 1} AS (w{i})" for i in range(n)),
    "cube": lambda n: "SELECT count(*) FROM logs GROUP BY CUBE(body" + "".join(f", severity_number + {i}" for i in range(n)) + ")",
    "cubes": lambda n: "SELECT count(*) FROM logs GROUP BY CUBE(body)" + ", CUBE(severity_number, severity_text)" * n,
    "rollups": lambda n: "SELECT count(*) FROM logs GROUP BY ROLLUP(body)" + ", ROLLUP(severity_number, severity_text)" * n,
    "grouping sets": lambda n: "SELECT count(*) FROM logs GROUP BY GROUPING SETS((body)" + ", (severity_number, body)" * n + ")",
    "lambdas": lambda n: "SELECT " + "x -> " * n + "1",
    "json arrows": lambda n: "SELECT attributes" + " -> 'a'" * n + " FROM logs",
    "dots": lambda n: "SELECT a" + ".a" * n + " FROM logs",
    "comments": lambda n: "SELECT 1 " + "/*" * n + "*/" * n,
    "brackets": lambda n: "SELECT " + "[" * n,
    "open parentheses": lambda n: "SELECT " + "(" * n,
    "intervals": lambda n: "SELECT " + "INTERVAL " * n + "'1 day'",
    "explains": lambda n: "EXPLAIN " * n + "SELECT 1",
    "semicolons": lambda n: ";" * n + "SELECT 1",
    "strings": lambda n: "SELECT 'a'" + " 'a'" * n,
    "identifier": lambda n: 'SELECT 1 AS "' + "x" * n + '"',
    "quotes": lambda n: "SELECT '" + "''" * n + "'",
    "unnests": lambda n: "SELECT " + "unnest(" * n + "range(3)" + ")" * n,
    "filters": lambda n: "SELECT count(*)" + " FILTER (WHERE true)" * n + " FROM logs",
    "with": lambda n: "WITH a AS (" * n + "SELECT 1" + ") SELECT * FROM a" * n,
    "tables of with": lambda n: "WITH a0 AS (SELECT 1)" + "".join(f", a{i + 1} AS (SELECT 1)" for i in range(n)) + " SELECT 1",
}

# What a tenant might write, what stands at the limits, and the most that fits into 64 KiB.
SIZES = [(60, 450), (66, 1_200), (300, 8_000)]


def deep():
    for index, (name, make) in enumerate(SHAPES.items()):
        for small, large in SIZES:
            for size in (small, large):
                text = make(size)
                if len(text.encode()) <= 64 * KIB:
                    yield Case(f"deep: {name}", "bomb", text)
        # As long as a statement may be, and longer.
        size = 8
        while len(make(size * 2).encode()) < 64 * KIB:
            size *= 2
        yield Case(f"deep: {name}", "bomb", make(size))
        if index % 4 == 0:
            yield Case("too long", "escape", make(64 * KIB))


def bombs():
    for text in GROWING:
        yield Case("growing values", "bomb", text)
    for text in ROWS:
        yield Case("growing rows", "bomb", text)
    for pattern in REGEXES:
        quoted = pattern.replace("'", "''")
        yield Case("regexes", "bomb", f"SELECT count(*) FROM logs WHERE regexp_like(repeat(body, 20), '{quoted}')")
        if len(pattern) < 100:
            yield Case("regexes", "bomb", f"SELECT regexp_replace(repeat('a', 30000), '{quoted}', 'x') FROM logs LIMIT 1")
            yield Case("regexes", "bomb", f"SELECT count(*) FROM logs WHERE body ~ '{quoted}' OR body SIMILAR TO '{quoted}'")
    for pattern in LIKES:
        yield Case("like patterns", "bomb", f"SELECT count(*) FROM logs WHERE repeat(body, 20) LIKE '{pattern}'")
        yield Case("like patterns", "bomb", f"SELECT count(*) FROM logs WHERE body ILIKE '{pattern}'")
    yield from deep()
    yield Case("huge literals", "bomb", "SELECT length('" + "x" * 65000 + "')")
    yield Case("huge literals", "bomb", "SELECT replace('" + "x" * 32000 + "', 'x', '" + "y" * 32000 + "')")
    yield Case("huge literals", "bomb", "SELECT count(*) FROM logs WHERE body = '" + "\U0001f4a3" * 16000 + "'")
    yield Case("huge literals", "bomb", "SELECT N'" + "\u0301" * 20000 + "'")


def explains():
    """Plans that could name files. Allowed; what they say is looked at."""
    queries = [
        "SELECT * FROM logs", "SELECT count(*) FROM spans WHERE name = 'a'", "SELECT * FROM logs WHERE attributes['client'] = '1'",
        "SELECT * FROM metrics", "SELECT * FROM logs a JOIN logs b ON a.body = b.body ORDER BY a.timestamp LIMIT 5",
        "SELECT body, count(*) FROM logs GROUP BY body", "SELECT * FROM dead_letters",
    ]
    forms = ["EXPLAIN", "EXPLAIN VERBOSE", "EXPLAIN ANALYZE", "EXPLAIN ANALYZE VERBOSE", "EXPLAIN FORMAT INDENT",
             "EXPLAIN FORMAT TREE", "EXPLAIN FORMAT PGJSON", "EXPLAIN FORMAT GRAPHVIZ"]
    for index, query in enumerate(queries):
        for turn in range(4):
            yield Case("explain", "name", f"{forms[(index + turn) % len(forms)]} {query}")
    # Errors that planning or reading wraps.
    for text in ["SELECT nothing FROM logs", "SELECT body + 1 FROM logs", "SELECT CAST(body AS BIGINT) FROM logs", "SELECT 1 / 0 FROM logs",
                 "SELECT CAST('x' AS TIMESTAMP) FROM logs", "SELECT (SELECT body FROM logs) FROM logs", "SELECT sum(body) FROM logs"]:
        yield Case("explain", "name", text)


def requests():
    """Requests whose other parts are out of their range; `refused` ones must be."""
    count = "SELECT count(*) FROM logs"
    asks = {"accept": "application/json", "content-type": "application/json"}

    def json_case(kind, sql, **fields):
        return Case("requests", kind, sql, fields)

    def raw(kind, body, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Case("requests", kind, repr(body[:60]), raw=body, headers={**asks, **named})

    deep_list = "[" * 100_000 + "]" * 100_000
    yield json_case("escape", "SELECT $1", parameters=[])
    yield json_case("name", "SELECT $1", parameters=[1, 2, 3])
    yield json_case("escape", "SELECT $0", parameters=[1])
    yield json_case("escape", "SELECT $99999999999999999999", parameters=[1])
    yield json_case("name", "SELECT 1", parameters=[1] * 1_000)
    yield json_case("name", "SELECT 1", parameters=[1] * 1_001)
    yield json_case("bomb", "SELECT $1", parameters=["x" * 900_000])
    yield json_case("bomb", "SELECT " + "concat(" * 20 + "$1" + ", $1)" * 20, parameters=["x" * 50_000])
    yield json_case("bomb", "SELECT repeat($1, $2)", parameters=["x" * 1000, 1_000_000_000])
    yield json_case("bomb", "SELECT repeat('a', $1)", parameters=[1_000_000_000])
    yield json_case("escape", "SELECT * FROM $1", parameters=["/etc/passwd"])
    yield json_case("name", "SELECT $1", parameters=["'; DROP TABLE logs; --"])
    yield json_case("name", "SELECT count(*) FROM logs WHERE body = $1", parameters=["' OR 1 = 1 --"])
    yield json_case("escape", "SELECT $name", parameters={"other": 1})
    yield json_case("name", "SELECT $name", parameters={"name": 1})
    yield json_case("name", "SELECT $1", parameters=[{"a": [1, {"b": None}]}])
    yield json_case("name", "SELECT $1 + 1", parameters=["x"])
    yield json_case("name", "SELECT $1", parameters=[1e308, "\u0000"])
    yield json_case("name", "SELECT $1", parameters=["\u0000\uffff"])
    yield json_case("name", "SELECT 1", parameters="text")
    yield json_case("name", "SELECT 1", parameters=7)
    yield json_case("escape", count, max_rows=-1)
    yield json_case("name", count, max_rows=0)
    yield json_case("name", count, max_rows=2**64 - 1)
    yield json_case("escape", count, max_rows=2**64)
    yield json_case("escape", count, max_rows="all")
    yield json_case("escape", count, max_rows=1.5)
    yield json_case("escape", count, timeout_ms=-1)
    yield json_case("name", count, timeout_ms=0)
    yield json_case("name", count, timeout_ms=1)
    yield json_case("name", count, timeout_ms=2**64 - 1)
    yield json_case("escape", count, timeout_ms=2**64)
    yield json_case("escape", count, timeout_ms=None, unknown_field=1)
    yield json_case("bomb", count, min_sequence=2**64 - 1)
    yield json_case("bomb", count, min_sequence=2**63)
    yield json_case("escape", count, min_sequence=-1)
    yield json_case("escape", count, tenant="turquoise")
    yield raw("escape", b"")
    yield raw("escape", b"null")
    yield raw("escape", b"[]")
    yield raw("escape", b'{"sql": 1}')
    yield raw("escape", b'{"sql": null}')
    yield raw("escape", b'{"sql": "SELECT 1", "sql": "SELECT 2"}')
    yield raw("escape", b'{"sql": "SELECT 1"')
    yield raw("escape", b'{"sql": "SELECT 1"}}')
    yield raw("escape", b'{"sql": "\\ud800"}')
    yield raw("escape", b'{"sql": "SELECT \xff"}')
    yield raw("escape", b"\xff\xfe\x00", content_type="text/plain")
    yield raw("escape", b"SELECT '\xc3\x28'", content_type="text/plain")
    yield raw("escape", b"SELECT '\xed\xa0\x80'", content_type="text/plain")
    yield raw("escape", b"\x00" * 1000, content_type="text/plain")
    yield raw("escape", b"SELECT 1", content_type="text/html")
    yield raw("escape", b"SELECT 1", content_type="application/xml")
    yield raw("escape", b"SELECT 1", content_type="application/json")
    yield raw("name", b"SELECT 1", content_type="text/plain; charset=utf-16")
    yield raw("name", b"S\x00E\x00L\x00", content_type="text/plain")
    yield raw("escape", b"SELECT 1", content_type="text/plain", accept="image/png")
    yield raw("escape", b"SELECT 1", content_type="text/plain", accept="application/json;q=0")
    yield raw("name", b"SELECT 1", content_type="text/plain", accept="*/*;q=0.001, text/html")
    yield raw("name", b"SELECT 1", content_type="text/plain", accept=", " * 2000)
    yield raw("escape", b"SELECT 1", content_type="text/plain", cairn_sequence="-1")
    yield raw("escape", b"SELECT 1", content_type="text/plain", cairn_sequence="18446744073709551616")
    yield raw("escape", b"SELECT 1", content_type="text/plain", cairn_sequence="x" * 1000)
    yield raw("escape", b"x" * (1 << 20) + b"x")
    yield raw("escape", b'{"sql": "SELECT 1", "parameters": ' + deep_list.encode() + b"}")
    yield raw("escape", b'{"sql": "SELECT 1", "parameters": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}")
    yield raw("escape", b'{"sql": "SELECT $1", "parameters": [' + b"9" * 100_000 + b"]}")
    yield raw("escape", b'{"sql": "' + b"SELECT 1 + " * 9000 + b'1"}')
    yield raw("escape", b"SELECT 1", content_type="text/plain", content_encoding="gzip")
