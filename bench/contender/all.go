package contender

// Who is compared.

// All returns the contenders, this library first. Rivals that come as operators on channels (lo,
// rill, ro, gobatch) get a channel of MaxSize items, which is closed to end them: their callers must
// have stopped by then, as with the channel loop.
func All[T any]() []Contender[T] {
	return []Contender[T]{
		ours[T](),
		oursWithLanes[T](),
		bundlerOf[T](),
		goZero[T](),
		projectDiscovery[T](),
		samberLo[T](),
		samberRo[T](),
		bsv[T](),
		destelRill[T](),
		goBatch[T](),
		microBatch[T](),
		openTelemetry[T](),
		eapache[T](),
		channelLoop[T](),
		mutexSlice[T](),
		lockLimit[T](),
		channelLimit[T](),
	}
}

// pipe is the channel of a contender that is fed by one.
type pipe[T any] struct {
	in   chan T
	done chan struct{} // closed by the receiver, when all has gone to the sink
}

func newPipe[T any](s Settings) pipe[T] {
	return pipe[T]{make(chan T, s.MaxSize), make(chan struct{})}
}
