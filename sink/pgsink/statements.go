package pgsink

// The statements, which are written once, in New.

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
)

// maxParameters is how many parameters the protocol can count.
const maxParameters = 65535

// statements are the texts of what is sent. Names are quoted and have their schema, so that they
// mean what New found, whatever the search path of a connection is.
type statements struct {
	copy    string // COPY into the table, or into the staging table and from there
	create  string // makes the staging table
	staging string // the name of the staging table, "" without one
	ordinal bool   // rows end with their number

	head, tail string // INSERT, before and after the rows
	columns    int
	types      []uint32 // of the columns

	inserts [maxRemembered]atomic.Pointer[string] // by number of rows
}

// maxRemembered bounds the number of INSERT statements that are kept.
const maxRemembered = 65

func newStatements(t *serverTable, columns []serverColumn, c *config) *statements {
	s := &statements{columns: len(columns)}
	var names []string
	for _, column := range columns {
		names = append(names, quote(column.name))
		s.types = append(s.types, column.typ.oid)
	}
	list := strings.Join(names, ", ")
	s.copy = fmt.Sprintf("COPY %s (%s) FROM STDIN (FORMAT binary)", t.sql(), list)
	into := fmt.Sprintf("INSERT INTO %s (%s)", t.sql(), list)
	if slices.ContainsFunc(columns, func(c serverColumn) bool { return c.identityAlways }) {
		into += " OVERRIDING SYSTEM VALUE" // as COPY does
	}
	s.head, s.tail = into+" VALUES ", ""
	if c.conflict != fails {
		s.resolve(t, columns, c, into)
	}
	return s
}

// resolve makes the statements those of ON CONFLICT. In the staging table, and in the list of values
// of an INSERT, columns have names of their own, since the user's may be any.
func (s *statements) resolve(t *serverTable, columns []serverColumn, c *config, into string) {
	var own, definitions []string
	for i, column := range columns {
		own = append(own, fmt.Sprintf("c%d", i))
		definitions = append(definitions, fmt.Sprintf("c%d %s", i, column.typ.sql()))
	}
	s.ordinal = len(c.target) > 0
	fields := own
	if s.ordinal {
		fields = append(slices.Clip(own), "n")
		definitions = append(definitions, "n integer")
	}
	distinct, order := s.order(t, columns, c)
	choose := fmt.Sprintf(" SELECT %s%s FROM ", distinct, strings.Join(own, ", "))
	end := order + " " + onConflict(c)

	all := strings.Join(definitions, ", ")
	s.staging = stagingName(t.sql()+all, s.types)
	temp := pgx.Identifier{"pg_temp", s.staging}.Sanitize()
	s.create = fmt.Sprintf("CREATE TEMPORARY TABLE IF NOT EXISTS %s (%s) ON COMMIT DELETE ROWS; ", temp, all)
	s.copy = fmt.Sprintf("COPY %s FROM STDIN (FORMAT binary); %s%s%s%s", temp, into, choose, temp, end)

	if s.tail = " " + onConflict(c); s.ordinal {
		s.head = into + choose + "(VALUES "
		s.tail = fmt.Sprintf(") AS v (%s)%s", strings.Join(fields, ", "), end)
	}
}

// order returns the parts of the SELECT that put the rows in the order of the target columns, so
// that batches which overlap take their locks in the same order and do not deadlock, and which,
// for updates, leave the last row of each key.
//
// A unique index takes rows with a NULL in the key as different from all others, as DISTINCT does
// not. Where that can be, such a row is made different by its number.
func (s *statements) order(t *serverTable, columns []serverColumn, c *config) (distinct, order string) {
	if !s.ordinal {
		return "", ""
	}
	var keys, nulls []string
	index := t.uniqueOn(c.target)
	for _, name := range c.target {
		i := slices.IndexFunc(columns, func(c serverColumn) bool { return c.name == name })
		keys = append(keys, keyOf(i, columns[i].typ, index.collations[name]))
		if columns[i].nullable {
			nulls = append(nulls, fmt.Sprintf("c%d IS NULL", i))
		}
	}
	if c.conflict == skipped {
		return "", " ORDER BY " + strings.Join(keys, ", ") + ", n"
	}
	if len(nulls) > 0 && !index.nullsNotDistinct {
		keys = append(keys, "CASE WHEN "+strings.Join(nulls, " OR ")+" THEN n END")
	}
	list := strings.Join(keys, ", ")
	return "DISTINCT ON (" + list + ") ", " ORDER BY " + list + ", n DESC"
}

// keyOf returns the value of the i-th column as the unique index will compare it: two that the
// table stores as one, such as times that are rounded, must be one here already.
func keyOf(i int, t serverType, collation string) string {
	key := fmt.Sprintf("c%d", i)
	if t.modifier >= 0 && t.schema == "pg_catalog" { // others may have names that need a search path
		key += "::" + t.modified
	}
	if collation != "" {
		key += " COLLATE " + collation
	}
	return key
}

func onConflict(c *config) string {
	var target string
	if len(c.target) > 0 {
		var names []string
		for _, name := range c.target {
			names = append(names, quote(name))
		}
		target = " (" + strings.Join(names, ", ") + ")"
	}
	if c.conflict == skipped {
		return "ON CONFLICT" + target + " DO NOTHING"
	}
	var sets []string
	for _, name := range c.update {
		sets = append(sets, fmt.Sprintf("%s = EXCLUDED.%s", quote(name), quote(name)))
	}
	return "ON CONFLICT" + target + " DO UPDATE SET " + strings.Join(sets, ", ")
}

// stagingName returns a name that belongs to this table and these columns, so that sinks share a
// staging table only if they are alike. A type that was made anew has the same name as before and
// another number; a staging table may have lost its column with the old one.
func stagingName(definition string, types []uint32) string {
	h := fnv.New64a()
	_, _ = fmt.Fprint(h, definition, types)
	return fmt.Sprintf("pgsink_%016x", h.Sum64())
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// insert returns the INSERT of so many rows. The shorter ones are remembered.
func (s *statements) insert(rows int) string {
	if rows >= maxRemembered {
		return s.writeInsert(rows)
	}
	if text := s.inserts[rows].Load(); text != nil {
		return *text
	}
	text := s.writeInsert(rows)
	s.inserts[rows].Store(&text)
	return text
}

func (s *statements) writeInsert(rows int) string {
	text := make([]byte, 0, len(s.head)+len(s.tail)+rows*(s.columns*7+10))
	text = append(text, s.head...)
	for row := range rows {
		if row > 0 {
			text = append(text, ", "...)
		}
		text = append(text, '(')
		for column := range s.columns {
			if column > 0 {
				text = append(text, ", "...)
			}
			text = strconv.AppendInt(append(text, '$'), int64(row*s.columns+column+1), 10)
		}
		if s.ordinal {
			text = strconv.AppendInt(append(text, ", "...), int64(row), 10)
		}
		text = append(text, ')')
	}
	return string(append(text, s.tail...))
}
