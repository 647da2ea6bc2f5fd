package main

// One connection of a client. It speaks HTTP by hand where that is plain, so that the clients, who
// share the machine with the service, take as little of it as they can: half of what http.Client
// takes.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// wire is a connection that is made when it is needed. It is for one goroutine.
type wire struct {
	host    string // of the service, with the port
	timeout time.Duration

	conn net.Conn // nil: none at the moment
	in   *bufio.Reader
	out  []byte // the request, recycled
}

// errNoConnection says that there was nobody to send to: nothing was sent.
var errNoConnection = errors.New("no connection")

func newWire(url string, timeout time.Duration) *wire {
	return &wire{host: strings.TrimPrefix(url, "http://"), timeout: timeout}
}

// post sends a body and returns the answer, which has been read to its end.
func (c *wire) post(path string, body []byte) (status int, header http.Header, text []byte, err error) {
	if c.conn == nil {
		if c.conn, err = net.DialTimeout("tcp", c.host, c.timeout); err != nil {
			c.conn = nil
			return 0, nil, nil, fmt.Errorf("%w: %w", errNoConnection, err)
		}
		c.in = bufio.NewReader(c.conn)
	}
	status, header, text, again, err := c.exchange(path, body)
	if err != nil || !again {
		c.close()
	}
	return status, header, text, err
}

// exchange sends the request and reads the answer. It reports whether the connection can be
// used again.
func (c *wire) exchange(path string, body []byte) (
	status int, header http.Header, text []byte, again bool, err error,
) {
	c.out = append(c.out[:0], "POST "...)
	c.out = append(c.out, path...)
	c.out = append(c.out, " HTTP/1.1\r\nHost: "...)
	c.out = append(c.out, c.host...)
	c.out = append(c.out, "\r\nContent-Type: application/json\r\nContent-Length: "...)
	c.out = strconv.AppendInt(c.out, int64(len(body)), 10)
	c.out = append(c.out, "\r\n\r\n"...)
	c.out = append(c.out, body...)
	_ = c.conn.SetDeadline(time.Now().Add(c.timeout)) // fails only if it is closed
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, nil, nil, false, err
	}
	if _, err := c.in.Peek(1); err != nil { // no answer at all is told as such
		return 0, nil, nil, false, err
	}
	response, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return 0, nil, nil, false, err
	}
	text, err = io.ReadAll(response.Body)
	_ = response.Body.Close() // it has been read
	return response.StatusCode, response.Header, text, !response.Close, err
}

func (c *wire) close() {
	if c.conn != nil {
		_ = c.conn.Close()
		c.conn = nil
	}
}
