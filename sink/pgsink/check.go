package pgsink

// What New checks: that columns and options fit the table that the server has.

import (
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"
)

// nameFaults says what is wrong with the name of a table before the server is asked.
func nameFaults(table pgx.Identifier) (faults []error) {
	if len(table) != 1 && len(table) != 2 {
		return []error{fmt.Errorf("table %q: must be a table, or a schema and a table", []string(table))}
	}
	for _, part := range table {
		if part == "" || len(part) > maxName {
			faults = append(faults, fmt.Errorf("table %q: %q must have 1 to %d bytes", []string(table), part, maxName))
		}
	}
	return faults
}

// columnFaults says what is wrong with the columns before the server is asked.
func columnFaults[T any](columns []Column[T]) (faults []error) {
	if len(columns) == 0 {
		return []error{fmt.Errorf("no columns")}
	}
	seen := make(map[string]bool)
	for i, c := range columns {
		switch {
		case c.bind == nil:
			faults = append(faults, fmt.Errorf("column %d of %d was not made by a function of pgsink", i+1, len(columns)))
			continue
		case c.name == "":
			faults = append(faults, fmt.Errorf("column %d of %d has no name", i+1, len(columns)))
		case seen[c.name]:
			faults = append(faults, fmt.Errorf("column %q is given twice", c.name))
		}
		seen[c.name] = true
		faults = append(faults, c.faults...)
	}
	return faults
}

// fit finds the columns in the table and returns their encoders and the server's view of them, or
// what is wrong.
func fit[T any](t *serverTable, columns []Column[T]) (encoders []encoder[T], found []serverColumn, faults []error) {
	listed := make(map[string]bool)
	for i := range columns {
		c := &columns[i]
		listed[c.name] = true
		there := t.column(c.name)
		if there == nil {
			faults = append(faults, fmt.Errorf("column %q: table %s has no such column", c.name, t.sql()))
			continue
		}
		encode, fault := c.encoderFor(there.typ)
		if fault != nil {
			faults = append(faults, fault)
		}
		faults = append(faults, there.writeFaults()...)
		encoders, found = append(encoders, encode), append(found, *there)
	}
	for _, c := range t.columns {
		if c.required && !listed[c.name] && !t.fillsIn {
			faults = append(faults, fmt.Errorf(
				"column %q of table %s is NOT NULL and has no default, but is not in the list", c.name, t.sql()))
		}
	}
	return encoders, found, faults
}

func (c *serverColumn) writeFaults() (faults []error) {
	if c.generated {
		faults = append(faults, fmt.Errorf("column %q is generated, so it cannot be written", c.name))
	}
	if !c.mayInsert {
		faults = append(faults, fmt.Errorf("column %q: the user has no privilege to INSERT", c.name))
	}
	return faults
}

// tableFaults says why the table cannot be written to in the way that c asks for.
func (t *serverTable) tableFaults(c *config) (faults []error) {
	if fault := t.kindFault(); fault != nil {
		faults = append(faults, fault)
	}
	if t.encoding != "UTF8" {
		faults = append(faults, fmt.Errorf(
			"the connection's client_encoding is %q, but must be UTF8: set client_encoding=UTF8 in the connection string",
			t.encoding))
	}
	if t.rowSecurity && c.conflict == fails {
		faults = append(faults, fmt.Errorf(
			"row-level security applies to table %s, where COPY is not possible: use OnConflictDoNothing", t.sql()))
	}
	if t.ruled && (c.conflict != fails || c.insertBelow > 1) {
		faults = append(faults, fmt.Errorf("table %s has rules for INSERT or UPDATE, which INSERT obeys, COPY "+
			"does not, and ON CONFLICT does not allow: use WithInsertBelow(0), or triggers in place of rules", t.sql()))
	}
	if c.conflict != fails && !t.mayTemp {
		faults = append(faults, fmt.Errorf(
			"%s: the user has no privilege to make temporary tables (TEMP) in the database", c.conflictOption()))
	}
	return faults
}

// conflictFaults says why the columns cannot be those of the option, and fills in which ones are
// updated.
func (t *serverTable) conflictFaults(c *config, columns []serverColumn) (faults []error) {
	if c.conflict == fails {
		return nil
	}
	option := c.conflictOption()
	listed := func(name string) bool {
		return slices.ContainsFunc(columns, func(c serverColumn) bool { return c.name == name })
	}
	for _, name := range slices.Concat(c.target, c.update) {
		if !listed(name) {
			faults = append(faults, fmt.Errorf("%s: %q is not a column of the sink", option, name))
		}
	}
	if len(c.target) == 0 && t.deferrable {
		faults = append(faults, fmt.Errorf(
			"%s: table %s has a deferrable constraint, with which target columns must be given", option, t.sql()))
	}
	if len(c.target) > 0 && t.uniqueOn(c.target) == nil {
		faults = append(faults, fmt.Errorf(
			"%s: table %s has no unique index or constraint on exactly the columns %q", option, t.sql(), c.target))
	}
	if c.conflict == updates {
		faults = append(faults, t.updateFaults(c, columns)...)
	}
	for _, name := range slices.Concat(c.target, c.update) {
		if column := t.column(name); column != nil && !column.mayRead {
			faults = append(faults, fmt.Errorf("%s: column %q: the user has no privilege to SELECT, "+
				"which target columns need, and those that are updated", option, name))
		}
	}
	return faults
}

func (t *serverTable) updateFaults(c *config, columns []serverColumn) (faults []error) {
	if len(c.update) == 0 {
		for _, column := range columns {
			if !slices.Contains(c.target, column.name) && !column.identityAlways {
				c.update = append(c.update, column.name)
			}
		}
	}
	if len(c.update) == 0 {
		return []error{fmt.Errorf("OnConflictUpdate: there is no column to update: use OnConflictDoNothing")}
	}
	for _, name := range c.update {
		column := t.column(name)
		switch {
		case column == nil: // reported already
		case column.identityAlways:
			faults = append(faults, fmt.Errorf("OnConflictUpdate: column %q is GENERATED ALWAYS, so it cannot be updated", name))
		case !column.mayUpdate:
			faults = append(faults, fmt.Errorf("OnConflictUpdate: column %q: the user has no privilege to UPDATE", name))
		}
	}
	return faults
}

// uniqueOn returns the unique index on exactly these columns, nil if there is none.
func (t *serverTable) uniqueOn(columns []string) *uniqueIndex {
	sorted := slices.Sorted(slices.Values(columns))
	i := slices.IndexFunc(t.indexes, func(x uniqueIndex) bool { return slices.Equal(x.columns, sorted) })
	if i < 0 {
		return nil
	}
	return &t.indexes[i]
}
