package main

// The service: how it is put together, and above all how it is taken apart.

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batcherdebug"
)

// service is the HTTP server, the batcher behind it and the store behind that.
type service struct {
	cfg      config
	log      *slog.Logger
	store    store
	batcher  *batcher.Batcher[Event]
	recorder *recorder
	metrics  http.Handler
	page     *batcherdebug.Page
	rescue   *rescue // where events go that cannot be stored
	loop     *loop   // the one of -plain, else nil
	listener net.Listener
	server   *http.Server

	failed   chan error     // receives once if the server ends by itself; capacity 1
	stopping atomic.Bool    // shutdown has begun
	serving  sync.WaitGroup // the goroutine in Serve
}

// maxBatchBytes bounds the memory that events take while the store is down: with one
// worker four such batches at most are held, with two seven, whatever the sizes of the events.
const maxBatchBytes = 8 << 20

// newService makes everything but the listener, and starts nothing. It takes
// ownership of st unless it fails.
func newService(cfg config, st store, log *slog.Logger) (*service, error) {
	s := &service{
		cfg:      cfg,
		log:      log,
		store:    st,
		recorder: newRecorder(),
		rescue:   &rescue{path: cfg.rescueFile, log: log},
		failed:   make(chan error, 1),
	}
	var err error
	s.batcher, err = batcher.New(st.Write,
		batcher.WithName("ingest"),
		batcher.WithMaxSize(cfg.size),
		batcher.WithMaxDelay(cfg.delay),
		batcher.WithMaxWeight(maxBatchBytes, func(e Event) int { return e.Size }),
		batcher.WithWorkers(cfg.workers),
		batcher.WithFlushTimeout(cfg.flushLimit),
		batcher.WithRetry(cfg.attempts, cfg.backoff),
		batcher.WithBisect(), // one event that the store refuses fails alone
		batcher.WithDeadLetter(s.giveUp),
		batcher.WithHooks(s.recorder.hooks()),
		batcher.WithLogger(log),
	)
	if err != nil {
		return nil, err
	}
	if s.metrics, err = newMetrics(s.batcher, s.recorder); err != nil {
		return nil, err
	}
	s.page = batcherdebug.Handler(s.batcher)
	s.server = &http.Server{
		Handler:           s.routes(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       cfg.readLimit,
		WriteTimeout:      cfg.waitLimit + 15*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
	s.server.RegisterOnShutdown(s.page.Close) // whoever watches must not hold the shutdown up
	return s, nil
}

// listen takes the port. Clients may connect from now on.
func (s *service) listen() (err error) {
	s.listener, err = net.Listen("tcp", s.cfg.addr)
	return err
}

// start begins to answer.
func (s *service) start() {
	if s.cfg.mode == plain {
		s.loop = startLoop(s)
	}
	s.serving.Go(func() {
		if err := s.server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serve: %w", err)
		}
	})
}

// url is where clients on this machine find the service.
func (s *service) url() string {
	addr := s.listener.Addr().(*net.TCPAddr)
	if addr.IP.IsUnspecified() {
		return fmt.Sprintf("http://127.0.0.1:%d", addr.Port)
	}
	return "http://" + addr.String()
}

// shutdown ends the service in the order in which events travel: the HTTP server,
// so that nothing new comes in; the batcher, so that what came in is stored; the
// store. It takes at most cfg.grace, and says what was lost.
func (s *service) shutdown() error {
	s.stopping.Store(true)
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.grace)
	defer cancel()
	s.stopServer(ctx)
	lost := s.closeBatcher(ctx)
	s.loop.close()
	s.serving.Wait()
	err := within(ctx, s.store.Close)
	if err != nil {
		err = fmt.Errorf("close the database: %w", err)
	}
	s.log.Info("stopped", "took", time.Since(began).Round(time.Millisecond))
	return errors.Join(s.failure(), lost, s.rescue.close(), err)
}

// failure returns why the server ended by itself, if it did and nobody has heard of it.
func (s *service) failure() error {
	select {
	case err := <-s.failed:
		return err
	default:
		return nil
	}
}

// stopServer lets the requests under way finish for a third of the time, then cuts
// them off. Those with wait=1 need the batcher, which is still open.
func (s *service) stopServer(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.grace/3)
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.log.Warn("requests were cut off", "error", err)
		_ = s.server.Close()
	}
}

// closeBatcher drains the batcher, leaving a tenth of the time for what comes after
// it, and rescues what it hands back.
func (s *service) closeBatcher(ctx context.Context) error {
	deadline, _ := ctx.Deadline()
	ctx, cancel := context.WithDeadline(ctx, deadline.Add(-s.cfg.grace/10))
	defer cancel()
	err := s.batcher.Close(ctx)
	var left *batcher.CloseError[Event]
	if errors.As(err, &left) {
		s.rescue.save("unflushed", left.Unflushed, left.Err)
		s.rescue.save("unknown", left.Unknown, left.Err)
	}
	if stats := s.batcher.Stats(); stats.Flushed < stats.Added {
		err = fmt.Errorf("%d of %d accepted events were not stored: %d failed, %d handed back; see %s",
			stats.Added-stats.Flushed, stats.Added, stats.Failed, stats.Returned, s.rescue.path)
	}
	return err
}

// giveUp is the dead letter handler: what the store refuses for good, or for longer
// than the retries last, must not be forgotten.
func (s *service) giveUp(_ context.Context, letter batcher.DeadLetter[Event]) {
	s.rescue.save("failed", letter.Items, letter.Err)
}

// within calls f and waits for it until ctx ends. What f does then, it does alone.
func within(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
