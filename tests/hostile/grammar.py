"""Random statements over the tables, columns and functions that there are, and mutations of the corpus; all from a seed."""

import json
import os
import random
import re

from asking import ask
from case import Case

HERE = os.path.dirname(os.path.abspath(__file__))
ALLOWED = os.path.join(HERE, "..", "..", "query", "src", "sql", "allow.rs")
OWN_FUNCTIONS = ["time_bucket", "severity"]

BINARY = ["+", "-", "*", "/", "%", "||", "=", "<>", "<", ">", "<=", ">=", "AND", "OR", "&", "|", "#", "<<", ">>", "IS DISTINCT FROM",
          "LIKE", "ILIKE", "NOT LIKE", "SIMILAR TO", "~", "!~*", "->", "->>", "@>", "<@", "^", "BETWEEN 0 AND", "IN", "||", "IS NOT DISTINCT FROM"]
TYPES = ["BIGINT", "INT", "SMALLINT UNSIGNED", "DOUBLE", "REAL", "VARCHAR", "BOOLEAN", "TIMESTAMP", "DATE", "TIME", "DECIMAL(38, 10)", "BYTEA",
         "INTERVAL", "BIGINT[]", "VARCHAR[][]", "TIMESTAMP WITH TIME ZONE", "DECIMAL(5, 2)", "CHAR(3)", "UUID", "JSON", "STRUCT<a BIGINT>"]
LITERALS = ["0", "1", "-1", "2", "7", "1000000", "9223372036854775807", "-9223372036854775808", "18446744073709551615", "1.5", "1e308", "-0.0", "1e-308",
            "'NaN'::DOUBLE", "NULL", "true", "false", "''", "'a'", "'record 1'", "'%'", "'(a*)*b'", "'\u00df\U0001f4a3'", "'2020-01-01'", "'1 day'",
            "TIMESTAMP '2026-01-01'", "TIMESTAMP '1677-09-22'", "DATE '2262-04-11'", "INTERVAL '1 day'", "INTERVAL '-1 month'",
            "INTERVAL '9999 years'", "now()", "X'00ff'", "[1, 2, 3]", "make_array('a', NULL)", "'second'", "'hex'", "'$.a'", "$1", "{'a': 1}"]
FRAMES = ["", "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW", "ROWS BETWEEN 5 PRECEDING AND 5 FOLLOWING", "RANGE BETWEEN 1 PRECEDING AND CURRENT ROW",
          "GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING", "ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING",
          "RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW"]
JOINS = ["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN", "CROSS JOIN", "LEFT SEMI JOIN", "RIGHT ANTI JOIN", "NATURAL JOIN", "ASOF JOIN"]
ODD = ["/*", "*/", "--", ";", "'", '"', "$$", "\u0000", "\u202e", "\ufeff", "(", ")", "[", "]", "{", "}", "\\", "`", "@", "?", ":", "::", "..", ",", "E'\\x00'"]


PLAIN = {
    "number": ["0", "1", "-1", "7", "3.25", "1000000", "9223372036854775807", "NULL", "1e308", "length(name)", "pi()"],
    "text": ["''", "'a'", "'record 1'", "'%'", "'(a*)*b'", "'2026-01-01'", "'\u00df\U0001f4a3'", "'7'", "uuid()"],
    "truth": ["true", "false", "NULL", "(1 = 1)"],
    "time": ["now()", "TIMESTAMP '2026-01-01'", "TIMESTAMP '1677-09-22'", "TIMESTAMP '2262-04-11'", "to_timestamp(0)"],
}

# What expressions of a kind are made of; a word that names a kind stands for one of it.
FORMS = {
    "number": ["(number + number)", "(number * number)", "(number / number)", "(number % number)", "(- number)", "abs(number)", "power(number, number)",
               "round(number, 2)", "length(text)", "strpos(text, text)", "extract(hour FROM time)", "CASE WHEN truth THEN number ELSE number END",
               "coalesce(number, number)", "CAST(number AS BIGINT)", "TRY_CAST(text AS DOUBLE)", "greatest(number, number)", "regexp_count(text, text)",
               "date_part('epoch', time)", "array_length(range(0, 20))", "(number & 255)", "factorial(5)", "gcd(CAST(number AS BIGINT), 6)",
               "nullif(number, number)", "(SELECT max(severity_number) FROM logs)", "array_sum(make_array(number, number))", "sqrt(number)", "to_unixtime(time)"],
    "text": ["(text || text)", "upper(text)", "substr(text, 2, 5)", "repeat(text, 50)", "lpad(text, 100, text)", "replace(text, text, text)",
             "regexp_replace(text, text, text, 'g')", "concat(text, number, time)", "CAST(number AS VARCHAR)", "to_char(time, '%Y')", "reverse(text)",
             "CASE WHEN truth THEN text END", "split_part(text, text, 2)", "attributes['client']", "attributes['word']", "encode(text, 'hex')", "initcap(text)",
             "translate(text, 'abc', 'xyz')", "coalesce(text, text)", "array_to_string(make_array(text, text), ',')", "md5(text)", "left(text, 5)",
             "overlay(text placing text from 2)", "string_to_array(text, ',')[1]", "arrow_typeof(number)", "to_hex(CAST(number AS BIGINT))"],
    "truth": ["(number < number)", "(text = text)", "(truth AND truth)", "(truth OR truth)", "(NOT truth)", "(text LIKE text)", "(text ILIKE '%a%')",
              "(number BETWEEN number AND number)", "(number IN (number, number))", "(text IS NULL)", "(time > time)", "regexp_like(text, text)", "(text ~ text)",
              "starts_with(text, text)", "(number IS DISTINCT FROM number)", "EXISTS (SELECT 1 FROM spans WHERE truth)", "array_has(make_array(1, 2), 1)",
              "(text IN (SELECT body FROM logs LIMIT 5))", "isnan(number)"],
    "time": ["date_trunc('hour', time)", "(time + INTERVAL '1 day')", "(time - INTERVAL '5 minutes')", "time_bucket(INTERVAL '1 minute', time)",
             "coalesce(time, time)", "date_bin(INTERVAL '1 hour', time)", "greatest(time, time)", "CASE WHEN truth THEN time ELSE time END", "to_timestamp(text)"],
}
AGGREGATES = ["count(*)", "count(DISTINCT text)", "sum(number)", "avg(number)", "min(time)", "max(text)", "array_agg(text)", "string_agg(text, ',')",
              "approx_distinct(text)", "median(number)", "stddev(number)", "bool_or(truth)", "approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY number)",
              "first_value(text ORDER BY number)", "corr(number, number)", "count(*) FILTER (WHERE truth)", "array_agg(DISTINCT number ORDER BY number)"]


def kind_of(sql_type):
    """The kind of a column's type."""
    words = {"VARCHAR": "text", "BOOLEAN": "truth", "TIMESTAMP": "time"}
    numbers = ("BIGINT", "INT", "DOUBLE", "SMALLINT", "TINYINT", "REAL", "UBIGINT", "DECIMAL")
    name = re.split(r"[( ]", sql_type)[0]
    return words.get(name, "number" if name in numbers else "other")


def allowed(name):
    """The functions of a list of `allow.rs`."""
    with open(ALLOWED, encoding="utf-8") as file:
        text = file.read()
    section = text[text.index(f"const {name}:") :]
    return re.findall(r'^    "(\w+)",', section[: section.index("];")], re.MULTILINE)


class Grammar:
    """Makes one statement after the other."""

    def __init__(self, seed, asker, corpus):
        self.rng = random.Random(seed)
        self.scalar, self.aggregate, self.window = allowed("SCALAR") + OWN_FUNCTIONS, allowed("AGGREGATE"), allowed("WINDOW")
        self.corpus = [case.sql for case in corpus if case.raw is None and 0 < len(case.sql) < 3_000]
        self.kinds = {"n": "number"}
        self.tables = {name: self.columns(asker, name) for name, *_ in self.rows(asker, "SHOW TABLES")}

    @staticmethod
    def rows(asker, sql):
        answer = ask(asker, Case("", "name", sql), 20_000, 60)
        return json.loads(answer.head)["rows"]

    def columns(self, asker, table):
        columns = []
        for name, kind, *_ in self.rows(asker, f"DESCRIBE {table}"):
            columns.append(name)
            self.kinds[name] = kind_of(kind)
        return columns

    def case(self):
        """A random statement; what it is may be refused or answered."""
        chance = self.rng.random()
        if chance < 0.7:
            sql, category = self.query(self.rng.choice([1, 2, 2, 3, 4])), "fuzzer: grammar"
        elif chance < 0.9:
            sql, category = self.mutated(self.rng.choice(self.corpus)), "fuzzer: mutated corpus"
        else:
            sql, category = self.mutated(self.query(2)), "fuzzer: mutated grammar"
        fields = {"max_rows": self.rng.choice([0, 1, 100, 1_000])}
        if "$1" in sql:
            fields["parameters"] = [self.rng.choice([None, 1, "a", 1.5, True, [1], {"a": 1}, -(2**63)])]
        return Case(category, "bomb", sql, fields)

    def mutated(self, sql):
        """Some words of a statement dropped, doubled, moved, or taken from another."""
        for _ in range(self.rng.randrange(1, 5)):
            words = re.findall(r"\w+|\s+|[^\w\s]", sql) or [""]
            at = self.rng.randrange(len(words))
            kind = self.rng.randrange(6)
            if kind == 0:
                del words[at]
            elif kind == 1:
                words[at:at] = words[at : at + self.rng.randrange(1, 20)]
            elif kind == 2:
                other = re.findall(r"\w+|\s+|[^\w\s]", self.rng.choice(self.corpus))
                start = self.rng.randrange(len(other))
                words[at:at] = [" ", *other[start : start + self.rng.randrange(1, 15)], " "]
            elif kind == 3:
                words[at] = self.rng.choice(ODD)
            elif kind == 4:
                words[at] = self.rng.choice(LITERALS)
            else:
                to = self.rng.randrange(len(words))
                words[at], words[to] = words[to], words[at]
            sql = "".join(words)
        return sql

    def query(self, depth):
        """A SELECT, sometimes with WITH, set operations or EXPLAIN around it."""
        rng = self.rng
        sql = self.select(depth)
        if rng.random() < 0.15:
            sql += f" {rng.choice(['UNION', 'UNION ALL', 'EXCEPT', 'INTERSECT', 'INTERSECT ALL'])} {self.select(depth)}"
        if rng.random() < 0.15:
            sql = f"WITH w AS ({self.select(depth - 1)}) {sql.replace('FROM logs', 'FROM w', 1)}"
        if rng.random() < 0.08:
            sql = f"{rng.choice(['EXPLAIN', 'EXPLAIN ANALYZE', 'EXPLAIN VERBOSE', 'EXPLAIN FORMAT TREE'])} {sql}"
        return sql

    def select(self, depth):
        rng = self.rng
        source, columns = self.source(depth)
        items = ", ".join(self.item(depth, columns) for _ in range(rng.randrange(1, 4)))
        sql = f"SELECT {'DISTINCT ' if rng.random() < 0.1 else ''}{items} FROM {source}"
        if rng.random() < 0.4:
            sql += f" WHERE {self.typed(depth, columns, 'truth')}"
        if rng.random() < 0.3:
            group = self.expression(depth - 1, columns)
            forms = ["{}", "ROLLUP({})", "CUBE({}, 1)", "GROUPING SETS(({}), ())", "ALL", "1"]
            sql += f" GROUP BY {rng.choice(forms).format(group)}"
            if rng.random() < 0.3:
                sql += f" HAVING {self.aggregated(depth - 1, columns)} > 0"
        if rng.random() < 0.3:
            sql += f" ORDER BY {self.expression(depth - 1, columns)} {rng.choice(['', 'DESC', 'NULLS FIRST'])}"
        if rng.random() < 0.4:
            sql += f" LIMIT {rng.choice([0, 1, 10, 1000, 2**63 - 1])} OFFSET {rng.choice([0, 1, 2**62])}"
        return sql

    def source(self, depth):
        """What stands behind FROM, and the columns it has."""
        rng = self.rng
        table = rng.choice(list(self.tables))
        columns = self.tables[table]
        chance = rng.random()
        if depth > 1 and chance < 0.2:
            return f"({self.select(depth - 1)}) AS s", ["*", *columns]
        if chance < 0.35:
            other = rng.choice(list(self.tables))
            on = "" if (join := rng.choice(JOINS)) in ("CROSS JOIN", "NATURAL JOIN") else f" ON {rng.choice(['a.timestamp = b.timestamp', self.typed(1, [], 'truth')])}"
            # Small sides, or most of the time goes into waiting for deadlines.
            return f"(SELECT * FROM {table} LIMIT 50) AS a {join} (SELECT * FROM {other} LIMIT 50) AS b{on}", [f"a.{c}" for c in columns]
        if chance < 0.42:
            return f"unnest({self.expression(1, [])}) AS u(n)", ["n"]
        if chance < 0.46:
            return f"(VALUES ({self.expression(1, [])}), ({self.expression(1, [])})) AS v(n)", ["n"]
        return table, columns

    def item(self, depth, columns):
        chance = self.rng.random()
        if chance < 0.1:
            return "*"
        if chance < 0.35:
            return self.aggregated(depth, columns)
        if chance < 0.45:
            return self.windowed(depth, columns)
        return self.expression(depth, columns)

    def aggregated(self, depth, columns):
        rng = self.rng
        name = rng.choice(self.aggregate)
        if rng.random() < 0.6:
            return self.fitting_aggregate(depth, columns)
        arguments = ", ".join(self.expression(depth - 1, columns) for _ in range(rng.choice([1, 1, 1, 2, 3])))
        distinct = "DISTINCT " if rng.random() < 0.2 else ""
        order = f" ORDER BY {self.expression(1, columns)}" if rng.random() < 0.15 else ""
        where = f" FILTER (WHERE {self.expression(1, columns)})" if rng.random() < 0.15 else ""
        if "percentile" in name and rng.random() < 0.7:
            return f"{name}({rng.choice(['0.5', '1.5', '-1', 'NULL'])}) WITHIN GROUP (ORDER BY {self.expression(1, columns)})"
        return f"{name}({distinct}{arguments}{order}){where}"

    def fitting_aggregate(self, depth, columns):
        form = self.rng.choice(AGGREGATES)
        return re.sub(r"\b(number|text|truth|time)\b", lambda match: self.typed(depth - 1, columns, match[0]), form)

    def windowed(self, depth, columns):
        rng = self.rng
        if rng.random() < 0.5:
            order = self.typed(1, columns, rng.choice(list(FORMS)))
            of = rng.choice(["row_number()", "rank()", "ntile(3)", "cume_dist()", self.fitting_aggregate(1, columns)])
            return f"{of} OVER (ORDER BY {order} {rng.choice(FRAMES[:3])})"
        name = rng.choice(self.window + self.aggregate)
        arguments = ", ".join(self.expression(1, columns) for _ in range(rng.choice([0, 1, 1, 2, 3])))
        partition = f"PARTITION BY {self.expression(1, columns)} " if rng.random() < 0.4 else ""
        order = f"ORDER BY {self.expression(1, columns)} " if rng.random() < 0.7 else ""
        return f"{name}({arguments}) OVER ({partition}{order}{rng.choice(FRAMES)})"

    def typed(self, depth, columns, kind):
        """An expression of a kind, as one would write it."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.2:
            fitting = [column for column in columns if self.kinds.get(column.split(".")[-1]) == kind]
            return rng.choice(fitting) if fitting and rng.random() < 0.7 else rng.choice(PLAIN[kind])
        form = rng.choice(FORMS[kind])
        return re.sub(r"\b(number|text|truth|time)\b", lambda match: self.typed(depth - 1, columns, match[0]), form)

    def expression(self, depth, columns):
        """Three of four times one whose types fit, else one where they fit by luck."""
        if self.rng.random() < 0.75:
            return self.typed(depth, columns, self.rng.choice(list(FORMS)))
        return self.loose(depth, columns)

    def loose(self, depth, columns):
        """Any expression; types fit by luck."""
        rng = self.rng
        if depth <= 0 or rng.random() < 0.25:
            return rng.choice(columns) if columns and rng.random() < 0.6 else rng.choice(LITERALS)
        inner = lambda: self.expression(depth - 1, columns)
        return rng.choice(self.forms(depth))(inner)

    def forms(self, depth):
        """Makers of expressions from a maker of their parts."""
        rng = self.rng
        name = rng.choice(self.scalar)
        count = rng.choice([0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 6])
        call = lambda inner: f"{name}({', '.join(inner() for _ in range(count))})"
        return [
            call, call, call, call,
            lambda inner: f"({inner()} {rng.choice(BINARY)} {inner()})",
            lambda inner: f"({inner()} {rng.choice(BINARY)} {inner()})",
            lambda inner: f"CAST({inner()} AS {rng.choice(TYPES)})",
            lambda inner: f"TRY_CAST({inner()} AS {rng.choice(TYPES)})",
            lambda inner: f"CASE WHEN {inner()} THEN {inner()} ELSE {inner()} END",
            lambda inner: f"CASE {inner()} WHEN {inner()} THEN {inner()} END",
            lambda inner: f"({inner()} IS {rng.choice(['NULL', 'NOT NULL', 'TRUE', 'NOT FALSE', 'UNKNOWN'])})",
            lambda inner: f"({inner()} BETWEEN {inner()} AND {inner()})",
            lambda inner: f"({inner()} {rng.choice(['', 'NOT '])}IN ({inner()}, {inner()}))",
            lambda inner: f"({rng.choice(['NOT', '-', '+', '~'])} {inner()})",
            lambda inner: f"attributes['{rng.choice(['client', 'sequence', 'word', 'share', '', 'x' * 200])}']",
            lambda inner: f"({inner()})[{inner()}]",
            lambda inner: f"({inner()})[{inner()}:{inner()}]",
            lambda inner: f"({inner()} AT TIME ZONE {rng.choice(['UTC', 'Europe/Berlin', '+25:00', 'x']).__repr__()})",
            lambda inner: f"extract({rng.choice(['epoch', 'year', 'dow', 'nanosecond', 'x'])} FROM {inner()})",
            lambda inner: f"(SELECT {inner()} FROM {rng.choice(list(self.tables))} LIMIT 1)",
            lambda inner: f"EXISTS ({self.select(depth - 1)})",
            lambda inner: f"({inner()} IN ({self.select(depth - 1)}))",
            lambda inner: f"({inner()} > ALL ({self.select(depth - 1)}))",
            lambda inner: f"substring({inner()} FROM {inner()} FOR {inner()})",
            lambda inner: f"position({inner()} IN {inner()})",
            lambda inner: f"trim({rng.choice(['BOTH', 'LEADING'])} {inner()} FROM {inner()})",
            lambda inner: f"unnest({inner()})",
            lambda inner: f"array(SELECT {inner()} FROM {rng.choice(list(self.tables))} LIMIT 5)",
        ]
