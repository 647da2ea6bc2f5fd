package spinningloop

// Half an answer: to sleep between two looks.

import "time"

// pause is how long Sleep sleeps.
const pause = time.Millisecond

// Sleep is Slow with a pause after each look that has found nothing. Most of the processor is
// saved. What is left: a thousand wake-ups a second for nothing, for each batcher; and an item
// that comes during the pause waits for its end. A longer pause makes the one better and the
// other worse.
type Sleep struct{ loop }

// NewSleep starts a batcher for batches of size items, which are complete after delay.
func NewSleep(size int, delay time.Duration, sink Sink) *Sleep {
	s := &Sleep{newLoop()}
	go s.poll(size, delay, sink, func() { time.Sleep(pause) })
	return s
}
