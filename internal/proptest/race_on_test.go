//go:build race

package proptest

// raced reports whether the race detector watches.
const raced = true
