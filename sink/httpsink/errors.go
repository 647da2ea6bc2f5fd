package httpsink

// Errors, and what must not be in them.
//
// Errors are logged, and logs are read by more people than may know a token. Servers and proxies do
// repeat what they were sent: in pages that show the request, in messages on a token that is not
// valid. So whatever comes from outside passes through here. The price is paid for failures only.

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// StatusError is the answer of a server that has not taken the batch: any status that is not 2xx.
// Write returns it, marked as the package documentation says under "What an error means";
// [errors.As] finds it.
type StatusError struct {
	// Status is the status code.
	Status int

	// Method and URL are those of the request that was answered, which is another one than the first
	// after a redirect. The URL is without user info and the values of its query.
	Method, URL string

	// Body is the beginning of the answer, at most 512 bytes, in printable characters, without
	// the values of headers that the request had.
	Body string
}

// newStatusError returns the error for resp, the answer to req or to what it was redirected to.
func newStatusError(req *http.Request, resp *http.Response, excerpt string) *StatusError {
	if resp.Request != nil && resp.Request.URL != nil {
		req = resp.Request
	}
	return &StatusError{Status: resp.StatusCode, Method: req.Method, URL: redacted(req.URL), Body: excerpt}
}

// Error says what was answered to what.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("httpsink: %s %s: status %d", e.Method, e.URL, e.Status)
	if name := http.StatusText(e.Status); name != "" {
		text += " " + name
	}
	if e.Body != "" {
		text += ": " + e.Body
	}
	return text
}

// blot stands where something secret was.
const blot = "***"

// What is shorter is no secret, and blotting it out would leave nothing legible.
const (
	minSecret = 4 // bytes of a whole value
	minPart   = 6 // bytes of a word in it
)

// secrets are texts that must not appear in errors, longest first.
type secrets []string

// secretsOf returns the secrets of u: its user info, and the values of its query.
func secretsOf(u *url.URL) (found secrets) {
	if u.User != nil {
		name := u.User.Username()
		password, _ := u.User.Password()
		basic := base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
		found = append(found, name, password, basic)
	}
	for pair := range strings.FieldsFuncSeq(u.RawQuery, betweenPairs) {
		key, value, valued := strings.Cut(pair, "=")
		if !valued {
			value = key // a bare token
		}
		found = append(found, value)
		if plain, err := url.QueryUnescape(value); err == nil {
			found = append(found, plain)
		}
	}
	return found
}

// secretsOf returns what must not appear in an error about req: what the URLs and its headers hold.
// It looks at the request as it was sent, so it also finds what the hook has put there.
func (s *Sink[T]) secretsOf(req *http.Request) secrets {
	found := slices.Concat(s.secrets, secretsOf(req.URL))
	for name, values := range req.Header {
		if slices.Contains(harmlessHeaders, name) || s.keys != nil && name == canonical(s.keys.header) {
			continue
		}
		for _, value := range values {
			found = append(found, value)
			found = append(found, wordsOf(value)...)
		}
	}
	return found.spelled()
}

// wordsOf returns the parts of a header value that a server may show alone, such as the token after
// "Bearer", a cookie's value, or the password in basic authentication.
func wordsOf(value string) (words []string) {
	_, credentials, _ := strings.Cut(value, " ")
	words = append(words, credentials)
	if plain, err := base64.StdEncoding.DecodeString(credentials); err == nil && utf8.Valid(plain) {
		_, password, _ := strings.Cut(string(plain), ":")
		words = append(words, string(plain), password)
	}
	words = append(words, strings.FieldsFunc(value, func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(`,;="`, r)
	})...)
	return slices.DeleteFunc(words, func(word string) bool { return len(word) < minPart })
}

// spelled adds the ways in which a server may spell the secrets, and sorts them.
func (s secrets) spelled() secrets {
	var all secrets
	for _, secret := range s {
		if len(secret) < minSecret {
			continue
		}
		all = append(all, secret, url.QueryEscape(secret), url.PathEscape(secret))
		if quoted, err := json.Marshal(secret); err == nil {
			all = append(all, strings.Trim(string(quoted), `"`))
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if len(a) != len(b) {
			return len(b) - len(a)
		}
		return strings.Compare(a, b)
	})
	return slices.Compact(all)
}

// blotOut replaces the secrets in text. A Replacer prefers the one that comes first, so the
// longest.
func (s secrets) blotOut(text string) string {
	pairs := make([]string, 0, 2*len(s))
	for _, secret := range s {
		pairs = append(pairs, secret, blot)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// hide returns err, or if its text has a secret in it, an error with what remains of the text, in
// which only the end of a context is still found.
func (s secrets) hide(err error) error {
	text := err.Error()
	clean := s.blotOut(text)
	if clean == text {
		return err
	}
	for _, known := range []error{context.Canceled, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return fmt.Errorf("%s: %w", clean, known)
		}
	}
	return errors.New(clean)
}

// maxExcerpt is the length in bytes of an excerpt.
const maxExcerpt = 512

// excerpt returns the beginning of raw for people to read. more says that raw is not all there
// was.
func (s secrets) excerpt(raw []byte, more bool) string {
	text := s.blotOut(string(raw))
	if more {
		text = s.cutTail(text)
	}
	text = printable(text)
	if len(text) <= maxExcerpt {
		return text
	}
	end := maxExcerpt - len("…")
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + "…"
}

// cutTail cuts off the beginning of a secret whose end was not read. The longest one is looked for,
// since a secret may begin inside of another.
func (s secrets) cutTail(text string) string {
	for n := len(text); n > 0; n-- {
		tail := text[len(text)-min(n, len(text)):]
		for _, secret := range s {
			if len(tail) >= minSecret && strings.HasPrefix(secret, tail) {
				return strings.TrimSuffix(text, tail)
			}
		}
	}
	return text
}

// printable replaces what a terminal or a log cannot take, and joins what space separates.
func printable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	return strings.Join(strings.Fields(text), " ")
}
