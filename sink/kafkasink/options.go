package kafkasink

// Options: what can be chosen.

// Option configures a sink; see the With functions. An option given twice counts as last given.
type Option func(*config)

// config holds what the options said.
type config struct {
	withoutCopy bool
}

// WithoutCopy spares the copy of keys, values and headers that Write makes of a batch: one
// allocation of their size. Default off.
//
// It asks for a promise: what the record function puts into a record must not be changed by anyone
// afterwards, as is the case if the function allocates it. The client may still read it after Write
// has returned, if the context ended in mid-write; what it then sends is what is there by then.
func WithoutCopy() Option { return func(c *config) { c.withoutCopy = true } }
