package pgsink

// Text, JSON and the raw format: values that the user writes, and what is checked about them.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text writes to text, varchar, char(n), name, citext and enum columns.
//
// An item fails alone if its text is not UTF-8, contains a NUL character, which the server cannot
// store, or is too long: in characters for varchar(n) and char(n), where blanks at the end that are
// too many are cut off by the server, as SQL has it; in bytes (63) for name. Labels of an enum are
// not checked: a wrong one is an error of the server, see [RowError].
func Text[T any](name string, get func(item *T) string) Column[T] {
	return newColumn("Text", "text, varchar, char, name, citext or an enum", name, get, textEncoder)
}

// lengthInfo is what a type modifier of varchar and char counts besides the characters.
const lengthInfo = 4

func textEncoder(t serverType) func([]byte, string) ([]byte, error) {
	switch {
	case (t.oid == oidVarchar || t.oid == oidBpchar) && t.modifier >= lengthInfo:
		limit := t.modifier - lengthInfo
		return func(dst []byte, v string) ([]byte, error) {
			if err := checkLength(v, limit); err != nil {
				return nil, err
			}
			return appendText(dst, v)
		}
	case t.oid == oidName:
		return appendName
	case t.oid == oidText, t.oid == oidVarchar, t.oid == oidBpchar, t.name == "citext", t.enum:
		return appendText
	}
	return nil
}

func appendText(dst []byte, v string) ([]byte, error) {
	if err := checkText(v); err != nil {
		return nil, err
	}
	return appendBytes(dst, v)
}

func appendName(dst []byte, v string) ([]byte, error) {
	if len(v) > maxName {
		return nil, fmt.Errorf("%d bytes are too long for name, which takes %d", len(v), maxName)
	}
	return appendText(dst, v)
}

// maxName is the length in bytes that the server's names have at most.
const maxName = 63

var (
	errNotUTF8 = errors.New("not valid UTF-8")
	errNUL     = errors.New("a NUL character, which the server cannot store in text")
)

func checkText(v string) error {
	if strings.IndexByte(v, 0) >= 0 {
		return errNUL
	}
	if !utf8.ValidString(v) {
		return errNotUTF8
	}
	return nil
}

// checkLength checks the number of characters, of which the server ignores blanks at the end that
// are beyond the limit. Bytes are counted first: most texts have few enough.
func checkLength(v string, limit int) error {
	if len(v) <= limit {
		return nil
	}
	n := 0
	for i := range v {
		if n == limit && strings.TrimLeft(v[i:], " ") != "" {
			return fmt.Errorf("%d characters are too long for a column of %d", utf8.RuneCountInString(v), limit)
		}
		if n++; n > limit {
			return nil
		}
	}
	return nil
}

// JSON writes to json or jsonb columns. encode appends the JSON text of an item to dst, which is
// empty but for its capacity, and returns it, as append does; it may also return a slice of its
// own. It must not keep dst. An encoder that is written or generated for the type is several times
// faster than [JSONValue], and allocates nothing.
//
// An item fails alone if encode returns an error, or if the text is empty, is not UTF-8, contains a
// NUL byte or, for jsonb, an escaped one (\u0000). That it is JSON for the rest is trusted: the
// server finds out, and its error fails the row, see [RowError].
func JSON[T any](name string, encode func(dst []byte, item *T) ([]byte, error)) Column[T] {
	c := Column[T]{name: name, kind: "JSON", wants: "json or jsonb"}
	if encode == nil {
		c.faults = append(c.faults, fmt.Errorf("column %q: JSON: the function is nil", name))
	}
	c.bind = func(t serverType) encoder[T] { return jsonEncoder(t, encode) }
	return c
}

// JSONValue writes what encoding/json makes of a value to json or jsonb columns: a struct, a map, a
// json.RawMessage. An item fails alone if that fails, and as with [JSON]. It is the convenient and
// slow way: about a microsecond and several allocations for a small struct. nil is the JSON value
// null, not NULL.
func JSONValue[T any](name string, get func(item *T) any) Column[T] {
	c := Column[T]{name: name, kind: "JSONValue", wants: "json or jsonb"}
	if get == nil {
		c.faults = append(c.faults, fmt.Errorf("column %q: JSONValue: the function is nil", name))
	}
	c.bind = func(t serverType) encoder[T] {
		return jsonEncoder(t, func(_ []byte, item *T) ([]byte, error) { return json.Marshal(get(item)) })
	}
	return c
}

// versionJSONB is what the binary format of jsonb has before the text.
const versionJSONB = "\x01"

func jsonEncoder[T any](t serverType, encode func([]byte, *T) ([]byte, error)) encoder[T] {
	prefix := ""
	switch t.oid {
	case oidJSON:
	case oidJSONB:
		prefix = versionJSONB
	default:
		return nil
	}
	return func(dst []byte, item *T) ([]byte, error) {
		return appendField(dst, prefix, func(empty []byte) ([]byte, error) {
			text, err := encode(empty, item)
			if err == nil {
				err = checkJSON(text, prefix != "")
			}
			return text, err
		})
	}
}

var (
	errNoJSON     = errors.New("no JSON: the text is empty")
	errEscapedNUL = errors.New(`a NUL character (\u0000), which jsonb cannot store`)
)

func checkJSON(text []byte, binary bool) error {
	switch {
	case len(text) == 0:
		return errNoJSON
	case bytes.IndexByte(text, 0) >= 0:
		return errNUL
	case !utf8.Valid(text):
		return errNotUTF8
	case binary && hasEscapedNUL(text):
		return errEscapedNUL
	}
	return nil
}

// hasEscapedNUL looks for \u0000 whose backslash is not itself escaped.
func hasEscapedNUL(text []byte) bool {
	const escape = `\u0000`
	for start := 0; ; {
		i := bytes.Index(text[start:], []byte(escape))
		if i < 0 {
			return false
		}
		i += start
		before := text[:i]
		if backslashes := len(before) - len(bytes.TrimRight(before, `\`)); backslashes%2 == 0 {
			return true
		}
		start = i + len(escape)
	}
}

// Raw writes to columns of any type, in the binary format of that type, which encode appends to
// dst. dst is as in [JSON]. typeName is the type's name, either that of SQL ("double precision",
// "inet", "int4range") or the server's own ("float8"), without a length or precision; for arrays,
// "inet[]" or "_inet".
//
// An item fails alone if encode returns an error. What it appends is trusted. If it is not the
// type's format, the server says so, with the row (see [RowError]), or takes it for another value.
func Raw[T any](name, typeName string, encode func(dst []byte, item *T) ([]byte, error)) Column[T] {
	c := Column[T]{name: name, kind: fmt.Sprintf("Raw(%q)", typeName), wants: typeName}
	if encode == nil {
		c.faults = append(c.faults, fmt.Errorf("column %q: Raw: the function is nil", name))
	}
	if typeName == "" {
		c.faults = append(c.faults, fmt.Errorf("column %q: Raw: no type name", name))
	}
	c.bind = func(t serverType) encoder[T] {
		if typeName != t.name && typeName != t.sqlName {
			return nil
		}
		return func(dst []byte, item *T) ([]byte, error) {
			return appendField(dst, "", func(empty []byte) ([]byte, error) { return encode(empty, item) })
		}
	}
	return c
}
