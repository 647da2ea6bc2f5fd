package pgsink

// What the server says about the table.

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// serverType is the type of a column. Of a domain, it is the type that the domain is based on.
type serverType struct {
	oid      uint32
	schema   string
	name     string // the server's own, such as int8
	sqlName  string // that of SQL, such as bigint
	modifier int    // a length or precision as the server has it, -1 if there is none
	modified string // that of SQL with the modifier, such as timestamp(3) with time zone
	enum     bool
	element  *serverType // of an array, unless its elements are of a domain
}

// sql returns the name of the type, without a modifier, whatever the search path is.
func (t serverType) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

// serverColumn is a column of the table.
type serverColumn struct {
	name           string
	typ            serverType
	required       bool // NOT NULL and without a default
	nullable       bool
	generated      bool
	identityAlways bool
	mayInsert      bool
	mayUpdate      bool
	mayRead        bool
}

// uniqueIndex is a unique index or constraint that can be the target of ON CONFLICT.
type uniqueIndex struct {
	columns          []string          // sorted
	collations       map[string]string // of columns for which texts of other bytes may be equal
	nullsNotDistinct bool
}

// serverTable is the table.
type serverTable struct {
	oid         uint32
	schema      string
	name        string
	kind        string
	temporary   bool
	rowSecurity bool // applies to this user
	mayTemp     bool // the user may make temporary tables
	fillsIn     bool // a trigger changes rows before they are inserted
	deferrable  bool // it has a unique or exclusion constraint that is
	ruled       bool // rules rewrite INSERT or UPDATE
	encoding    string
	columns     []serverColumn
	indexes     []uniqueIndex
}

// sql returns the table's name, whatever the search path is.
func (t *serverTable) sql() string { return pgx.Identifier{t.schema, t.name}.Sanitize() }

// column returns the column of that name, nil if there is none.
func (t *serverTable) column(name string) *serverColumn {
	i := slices.IndexFunc(t.columns, func(c serverColumn) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return &t.columns[i]
}

// loadTable asks the server about the table. It returns nil without an error if there is no such
// table.
func loadTable(ctx context.Context, conn *pgx.Conn, table pgx.Identifier) (*serverTable, error) {
	t := &serverTable{encoding: conn.PgConn().ParameterStatus("client_encoding")}
	tables, err := conn.Query(ctx, tableQuery, table.Sanitize())
	if err != nil {
		return nil, err
	}
	found := false
	for tables.Next() {
		found = true
		if err := tables.Scan(&t.oid, &t.schema, &t.name, &t.kind, &t.temporary, &t.rowSecurity,
			&t.mayTemp, &t.fillsIn, &t.deferrable, &t.ruled); err != nil {
			return nil, err
		}
	}
	if err := tables.Err(); err != nil || !found {
		return nil, err
	}
	if t.columns, err = loadColumns(ctx, conn, t.oid); err != nil {
		return nil, err
	}
	t.indexes, err = loadIndexes(ctx, conn, t.oid)
	return t, err
}

const tableQuery = `
SELECT c.oid, n.nspname::text, c.relname::text, c.relkind::text, c.relpersistence = 't',
	row_security_active(c.oid), has_database_privilege(current_database(), 'TEMP'),
	EXISTS (SELECT FROM pg_catalog.pg_trigger g
		WHERE g.tgrelid = c.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D' AND g.tgtype & 7 = 7),
	EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND NOT i.indimmediate AND i.indisready),
	EXISTS (SELECT FROM pg_catalog.pg_rewrite r
		WHERE r.ev_class = c.oid AND r.ev_type IN ('2', '3') AND r.ev_enabled <> 'D')
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = to_regclass($1)`

func loadColumns(ctx context.Context, conn *pgx.Conn, table uint32) ([]serverColumn, error) {
	rows, err := conn.Query(ctx, columnsQuery, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (serverColumn, error) {
		var c serverColumn
		var element serverType
		err := row.Scan(&c.name, &c.required, &c.nullable, &c.generated, &c.identityAlways,
			&c.mayInsert, &c.mayUpdate, &c.mayRead,
			&c.typ.oid, &c.typ.schema, &c.typ.name, &c.typ.sqlName, &c.typ.modifier, &c.typ.modified, &c.typ.enum,
			&element.oid, &element.schema, &element.name, &element.sqlName, &element.enum)
		if element.modifier = c.typ.modifier; element.oid != 0 {
			c.typ.element = &element
		}
		return c, err
	})
}

// columnsQuery follows domains down to their base types. A domain's own modifier, NOT NULL and
// default count where the column has none.
const columnsQuery = `
WITH RECURSIVE typed AS (
	SELECT a.attnum, a.attname, a.attnotnull AS not_null,
		a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS filled,
		a.attgenerated <> '' AS generated, a.attidentity = 'a' AS always,
		t.oid AS type, a.atttypmod AS modifier
	FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
	WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped
	UNION ALL
	SELECT d.attnum, d.attname, d.not_null OR t.typnotnull, d.filled OR b.typdefault IS NOT NULL,
		d.generated, d.always, t.typbasetype, CASE WHEN d.modifier < 0 THEN t.typtypmod ELSE d.modifier END
	FROM typed d JOIN pg_catalog.pg_type t ON t.oid = d.type
		JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype
	WHERE t.typtype = 'd'
)
SELECT c.attname::text, c.not_null AND NOT c.filled, NOT c.not_null, c.generated, c.always,
	has_column_privilege($1::oid, c.attnum, 'INSERT'), has_column_privilege($1::oid, c.attnum, 'UPDATE'),
	has_column_privilege($1::oid, c.attnum, 'SELECT'),
	t.oid, n.nspname::text, t.typname::text, format_type(t.oid, NULL), c.modifier,
	format_type(t.oid, c.modifier), t.typtype = 'e',
	coalesce(e.oid, 0::oid), coalesce(m.nspname::text, ''), coalesce(e.typname::text, ''),
	coalesce(format_type(e.oid, NULL), ''), coalesce(e.typtype = 'e', false)
FROM typed c JOIN pg_catalog.pg_type t ON t.oid = c.type AND t.typtype <> 'd'
	JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
	LEFT JOIN pg_catalog.pg_type e ON e.oid = t.typelem AND t.typcategory = 'A' AND e.typtype <> 'd'
	LEFT JOIN pg_catalog.pg_namespace m ON m.oid = e.typnamespace
ORDER BY c.attnum`

func loadIndexes(ctx context.Context, conn *pgx.Conn, table uint32) ([]uniqueIndex, error) {
	rows, err := conn.Query(ctx, indexesQuery, table)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (index uniqueIndex, err error) {
		var collations []string
		err = row.Scan(&index.columns, &collations, &index.nullsNotDistinct)
		index.collations = make(map[string]string)
		for i, collation := range collations {
			index.collations[index.columns[i]] = collation
		}
		slices.Sort(index.columns)
		return index, err
	})
}

// indexesQuery leaves out what ON CONFLICT (columns) cannot use: indexes that are partial, on
// expressions, deferrable or not yet valid. Columns that are only included (INCLUDE) do not count.
// The way over JSON asks for fields that servers before version 15, or 12, do not have. A collation
// counts where it is nondeterministic: for the others, texts are equal if their bytes are.
const indexesQuery = `
SELECT array(SELECT a.attname::text
		FROM generate_series(0, i.indnkeyatts - 1) k
			JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[k]
		ORDER BY k),
	array(SELECT coalesce((SELECT quote_ident(n.nspname) || '.' || quote_ident(l.collname)
			FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n ON n.oid = l.collnamespace
			WHERE l.oid = i.indcollation[k] AND NOT coalesce((to_jsonb(l) ->> 'collisdeterministic')::boolean, true)),
			'')
		FROM generate_series(0, i.indnkeyatts - 1) k ORDER BY k),
	coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false)
FROM pg_catalog.pg_index i
WHERE i.indrelid = $1 AND i.indisunique AND i.indimmediate AND i.indisvalid
	AND i.indpred IS NULL AND i.indexprs IS NULL`

// kindFault says why a relation of this kind cannot be written to, nil if it can.
func (t *serverTable) kindFault() error {
	kinds := map[string]string{
		"v": "a view", "m": "a materialized view", "i": "an index", "I": "an index", "S": "a sequence",
		"c": "a composite type", "t": "a TOAST table",
	}
	if kind, bad := kinds[t.kind]; bad {
		return fmt.Errorf("table %s is %s, which COPY cannot write to", t.sql(), kind)
	}
	if t.temporary {
		return fmt.Errorf("table %s is temporary: only the connection that made it can write to it", t.sql())
	}
	return nil
}
