package main

// Reading the usual bodies fast: in one pass, and with one allocation for all their strings.

import (
	"strings"
	"unicode/utf8"
)

// decodePlain reads the body of an event if it is a plain one: a JSON object with the known
// members, at most once each, and strings without escapes. It says no to everything else, right or
// wrong, which is then the business of [decodeAny]; what it says yes to, decodeAny reads as the
// same event. The strings of the event are parts of the body, which lives as long as they do.
func decodePlain(body string) (in eventInput, ok bool) {
	if !utf8.ValidString(body) {
		return in, false
	}
	p := plainReader{rest: body}
	seen := 0 // a bit for each member
	for more := p.open(); more; more = p.more() {
		var member int
		switch p.key() {
		case "id":
			member, in.ID = 1, p.text()
		case "user_id":
			member, in.UserID = 2, p.text()
		case "action":
			member, in.Action = 4, p.text()
		case "metadata":
			member, in.Metadata = 8, p.texts()
		}
		if member == 0 || seen&member != 0 {
			return in, false
		}
		seen |= member
	}
	p.blanks()
	return in, !p.failed && p.rest == ""
}

// plainReader takes JSON apart from the front. Once something is not as it is wanted, it has
// failed, and all it returns is empty.
type plainReader struct {
	rest   string
	failed bool
}

// open takes the beginning of an object and reports whether it has a member.
func (p *plainReader) open() bool {
	p.expect('{')
	p.blanks()
	if p.next() == '}' {
		p.rest = p.rest[1:]
		return false
	}
	return !p.failed
}

// more takes what comes after a member and reports whether there is another one.
func (p *plainReader) more() bool {
	p.blanks()
	switch p.next() {
	case ',':
		p.rest = p.rest[1:]
		return !p.failed
	case '}':
		p.rest = p.rest[1:]
		return false
	}
	p.failed = true
	return false
}

// key takes the name of a member, and the colon.
func (p *plainReader) key() string {
	key := p.text()
	p.expect(':')
	return key
}

// text takes a string in which every byte stands for itself.
func (p *plainReader) text() string {
	p.expect('"')
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"' && !p.failed:
			text := p.rest[:i]
			p.rest = p.rest[i+1:]
			return text
		case c == '\\' || c < ' ':
			p.failed = true
			return ""
		}
	}
	p.failed = true
	return ""
}

// texts takes an object of strings. Of members of the same name, the last one counts.
func (p *plainReader) texts() map[string]string {
	texts := make(map[string]string)
	for more := p.open(); more; more = p.more() {
		key := p.key()
		texts[key] = p.text()
	}
	return texts
}

// expect takes a character, which may follow blanks.
func (p *plainReader) expect(c byte) {
	p.blanks()
	if p.failed = p.failed || p.next() != c; !p.failed {
		p.rest = p.rest[1:]
	}
}

// blanks takes blanks.
func (p *plainReader) blanks() {
	if p.rest != "" && p.rest[0] <= ' ' {
		p.rest = strings.TrimLeft(p.rest, " \t\r\n")
	}
}

// next returns the next byte, 0 at the end. No JSON that is read here contains one.
func (p *plainReader) next() byte {
	if p.rest == "" {
		return 0
	}
	return p.rest[0]
}
