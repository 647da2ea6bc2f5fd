// Package lockedbuf has a buffer that several goroutines may write to, for tests that
// look at what a program prints.
package lockedbuf

import (
	"bytes"
	"sync"
)

// Buffer collects what is written to it. The zero value is empty and ready.
type Buffer struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write appends p in one piece. It never fails.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
