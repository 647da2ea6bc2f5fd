package httpsink

// The target: its URL, what of it may be shown, and what else may stand in a request.

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// parseTarget returns the URL to write to. The fault shows nothing that may be part of a password.
func parseTarget(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil: // net/url quotes what it stumbles over, which may be the password
		return nil, errors.New("url: cannot be parsed (not shown, since it may hold a password)")
	case u.Scheme == "" || u.Opaque != "": // "user:password@host" has the scheme "user"
		return nil, errors.New("url: must begin with http:// or https://")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, fmt.Errorf("url: the scheme is %q, and must be http or https", u.Scheme)
	case u.Hostname() == "":
		return nil, errors.New("url: has no host")
	}
	u.Fragment, u.RawFragment = "", ""
	return u, nil
}

// redacted returns u without what may be secret: user info, and the values of the query. The query
// is taken apart by hand, since net/url drops the pairs that it does not understand, and sorts the
// others.
func redacted(u *url.URL) string {
	shown := *u
	shown.User = nil
	shown.Fragment, shown.RawFragment = "", ""
	shown.RawQuery = ""
	if u.RawQuery == "" {
		return shown.String()
	}
	pairs := strings.FieldsFunc(u.RawQuery, betweenPairs)
	for i, pair := range pairs {
		if key, _, found := strings.Cut(pair, "="); found {
			pairs[i] = key + "=" + blot
		} else {
			pairs[i] = blot // a bare token
		}
	}
	return shown.String() + "?" + strings.Join(pairs, "&")
}

// betweenPairs reports whether r separates the pairs of a query, by any custom.
func betweenPairs(r rune) bool { return r == '&' || r == ';' }

// validHeaderName reports whether name is a token, as RFC 9110 has it.
func validHeaderName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		digit := '0' <= c && c <= '9'
		if !letter && !digit && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// validHeaderValue reports whether net/http sends value.
func validHeaderValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
