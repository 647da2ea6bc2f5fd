package pgsink

// Which row an error of the server is about.

import (
	"errors"
	"regexp"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// refusedRow returns which item the server has refused, nil if its error is not about a row, or does
// not say which. rows were sent, without those of bad.
func (s *Sink[T]) refusedRow(err error, rows int, insert bool, bad map[int]error) *RowError {
	var server *pgconn.PgError
	if !errors.As(err, &server) {
		return nil
	}
	number, column, found := 0, "", false
	switch {
	case insert:
		number, column, found = s.parameterIn(server.Where)
	default:
		number, column, found = s.lineIn(server.Where)
	}
	switch {
	case found && aboutRows(server.Code):
	case found && server.Code == protocolViolation: // bytes that are not the type's format
	case rows == 1 && aboutRows(server.Code):
		number = 1
	default:
		return nil
	}
	if number < 1 || number > rows {
		return nil
	}
	if column == "" {
		column = server.ColumnName
	}
	return &RowError{Row: unsent(number, bad), Column: column, Constraint: server.ConstraintName, Err: err}
}

// aboutRows reports whether errors of this SQLSTATE are about the content of a row: data exceptions,
// violated constraints, views' checks, RAISE in a trigger, and JSON that is nested too deeply. Others
// may name a row as well, but only as the place where the server was, such as 54000: it stores
// several rows at once, and says the last one's number if one is too big.
func aboutRows(code string) bool {
	if len(code) != 5 {
		return false
	}
	switch code[:2] {
	case "22", "23", "44", "P0":
		return true
	}
	return code == tooDeep
}

// tooDeep is what the server says when a value, as a rule JSON, takes too much of its stack.
const tooDeep = "54001"

// unsent returns the index in the batch of the row that was sent as the number-th, from 1 on, when
// those of bad were left out.
func unsent(number int, bad map[int]error) int {
	index := -1
	for range number {
		for index++; bad[index] != nil; index++ {
		}
	}
	return index
}

// lineIn finds the row and column in the context of an error, as in
//
//	PL/pgSQL function check() line 3 at RAISE
//	COPY events, line 17, column kind
//
// The words depend on the server's language, the order hardly does: the table, the number, the
// column. The last line counts, which is the outermost context.
func (s *Sink[T]) lineIn(where string) (number int, column string, found bool) {
	line := where[strings.LastIndexByte(where, '\n')+1:]
	if !strings.Contains(line, "COPY") {
		return 0, "", false
	}
	_, rest, found := strings.Cut(line, s.relation)
	match := firstNumber.FindStringSubmatch(rest)
	if !found || match == nil {
		return 0, "", false
	}
	number, err := strconv.Atoi(match[1])
	return number, s.columnIn(match[2]), err == nil
}

// firstNumber splits a text at the first number in it.
var firstNumber = regexp.MustCompile(`^[^0-9]*([0-9]+)(.*)$`)

// columnIn returns the name of the column with which the text ends, "" if there is none. In the
// staging table columns are numbered.
func (s *Sink[T]) columnIn(text string) string {
	longest := ""
	for i, name := range s.names {
		sent := name
		if s.sql.staging != "" {
			sent = "c" + strconv.Itoa(i)
		}
		if strings.HasSuffix(text, " "+sent) && len(name) >= len(longest) {
			longest = name
		}
	}
	return longest
}

// parameterIn finds the row and column in the context of an error in a parameter of an INSERT, as in
//
//	unnamed portal parameter $17
//
// A line with anything but words before the $ is another one, such as a statement of a trigger: the
// quotes are other ones in other languages.
func (s *Sink[T]) parameterIn(where string) (number int, column string, found bool) {
	match := parameterNumber.FindStringSubmatch(where)
	if match == nil {
		return 0, "", false
	}
	n, err := strconv.Atoi(match[1])
	if err != nil || n < 1 {
		return 0, "", false
	}
	return (n-1)/s.sql.columns + 1, s.names[(n-1)%s.sql.columns], true
}

var parameterNumber = regexp.MustCompile(`^[\pL\pM -]*\$([0-9]+)`)
