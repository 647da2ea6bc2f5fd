package main

// One run of the program: what is prepared, what is run, what is looked at afterwards.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
)

// app is one run of the program.
type app struct {
	cfg      config
	terminal bool // stderr is one
	suspect  bool // the database may lack something
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer // for several goroutines
	log      *slog.Logger
}

// run prepares what may fail before anything has begun: the file, the database, the port.
func (a *app) run(ctx context.Context) error {
	source, err := a.openSource()
	if err != nil {
		return err
	}
	defer source.close()
	cleanUp, err := a.chooseDatabase()
	if err != nil {
		return err
	}
	return errors.Join(a.runOn(ctx, source), cleanUp())
}

// runOn runs the service, here or in a process of its own.
func (a *app) runOn(ctx context.Context, src source) error {
	if a.cfg.split {
		return a.driveChild(ctx, src)
	}
	s, err := a.startService(ctx)
	if err != nil {
		return err
	}
	return a.serve(ctx, s, src)
}

// source is where the events of the clients come from, if there are clients.
type source struct {
	requests iter.Seq[request] // nil: the program is a service only
	total    int64             // 0: not known
	file     *fileSource       // nil: made-up events
}

func (s source) close() {
	if s.file != nil {
		_ = s.file.in.Close() // only read
	}
}

func (a *app) openSource() (source, error) {
	run := fmt.Sprintf("%08x", rand.Uint32())
	switch {
	case a.cfg.load > 0:
		n := a.cfg.load
		return source{requests: generate(run, n, a.cfg.waitShare), total: int64(n)}, nil
	case a.cfg.file != "":
		file, err := openFile(a.cfg.file, run, a.stdin, a.log)
		if err != nil {
			return source{}, err
		}
		return source{requests: file.requests(), file: file}, nil
	}
	return source{}, nil
}

// chooseDatabase makes a temporary place for the database if none is given, and chooses the file
// for what cannot be stored in it. The returned function removes the place, unless somebody will
// want to look into it.
func (a *app) chooseDatabase() (cleanUp func() error, err error) {
	cleanUp = func() error { return nil }
	if a.cfg.postgres != "" {
		a.cfg.rescueFile = cmp.Or(a.cfg.rescue, "ingest.rescued.ndjson")
		return cleanUp, nil
	}
	if a.cfg.db == "" {
		dir, err := os.MkdirTemp("", "ingest-")
		if err != nil {
			return nil, err
		}
		a.cfg.db = filepath.Join(dir, "events.db")
		cleanUp = func() error {
			if a.suspect {
				return fmt.Errorf("%s is kept", dir)
			}
			return os.RemoveAll(dir)
		}
	}
	a.cfg.rescueFile = cmp.Or(a.cfg.rescue, a.cfg.db+".rescued.ndjson")
	return cleanUp, nil
}

// openStore opens the database.
func (a *app) openStore(ctx context.Context) (st store, err error) {
	if a.cfg.postgres != "" {
		st, err = a.cfg.openPostgres(ctx, a.cfg.postgres, a.cfg.mode, a.cfg.workers)
	} else {
		st, err = a.cfg.open(ctx, a.cfg.db)
	}
	if err != nil {
		return nil, fmt.Errorf("open the database %s: %w", a.databaseName(), err)
	}
	return st, nil
}

// databaseName says which database it is, without what is secret.
func (a *app) databaseName() string {
	if a.cfg.postgres != "" {
		return postgresName(a.cfg.postgres)
	}
	return a.cfg.db
}

func (a *app) startService(ctx context.Context) (*service, error) {
	st, err := a.openStore(ctx)
	if err != nil {
		return nil, err
	}
	s, err := newService(a.cfg, st, a.log)
	if err == nil {
		err = s.listen()
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	s.start()
	a.log.Info("listening", "url", s.url(), "database", a.databaseName())
	return s, nil
}

// serve runs the service until ctx ends, or until its own clients are done.
func (a *app) serve(ctx context.Context, s *service, src source) error {
	if src.requests != nil {
		return a.driveAndVerify(ctx, s, src)
	}
	var err error
	select {
	case <-ctx.Done():
		a.log.Info("shutting down")
	case err = <-s.failed:
	}
	ended := s.shutdown()
	a.suspect = ended != nil
	a.writeStats(s)
	return errors.Join(err, ended)
}

// writeStats prints the batcher's counters, if it is used.
func (a *app) writeStats(s *service) {
	if a.cfg.mode == batched {
		writeStats(a.stdout, s.batcher.Stats())
	}
}

// driveAndVerify runs the clients, ends the service just as a signal would, and then
// looks into the database, opened anew.
func (a *app) driveAndVerify(ctx context.Context, s *service, src source) error {
	before, err := tally(ctx, s.store)
	if err != nil {
		return errors.Join(err, s.shutdown())
	}
	used := currentUsage()
	d := newDriver(s.url(), a.cfg.conns, a.cfg.maxTries)
	shown := startProgress(a.stderr, a.terminal, src.total, d.done.Load)

	// A signal must not wait for the clients: the service begins to shut down
	// while they send.
	clientsDone, cancel := context.WithCancel(ctx)
	var ended error
	var ending sync.WaitGroup
	ending.Go(func() {
		<-clientsDone.Done()
		ended = s.shutdown()
	})
	took := d.drive(ctx, src.requests)
	shown.stop()
	cancel()
	ending.Wait()
	used = currentUsage().minus(used)

	writeReport(a.stdout, d, took, costs{
		used: used, whose: "(clients and server share this process)",
		flush: s.recorder.flushTime.summary(), batch: s.recorder.batchSizes.summary(),
	})
	a.writeStats(s)
	return a.conclude(ctx, d, src, before, ended)
}

// conclude verifies what there is to verify, once the service has ended.
func (a *app) conclude(ctx context.Context, d *driver, src source, before map[string]int, ended error) error {
	verified := a.verify(d, before)
	a.suspect = ended != nil || verified != nil
	return errors.Join(ended, verified, a.incomplete(ctx, d, src))
}

// verify compares what the clients were told with what the database holds.
func (a *app) verify(d *driver, before map[string]int) error {
	ctx := context.Background() // a signal ends the load, not the verification
	st, err := a.openStore(ctx)
	if err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	after, err := tally(ctx, st)
	if err = errors.Join(err, st.Close()); err != nil {
		return fmt.Errorf("verify: %w", err)
	}
	v := verify(d.ledger, before, after)
	if err := v.err(); err != nil {
		return fmt.Errorf("verification failed, with %d events accepted:\n%w", v.accepted, err)
	}
	unclear := ""
	if v.openStored > 0 {
		unclear = fmt.Sprintf(", and %d that had no clear answer", v.openStored)
	}
	fmt.Fprintf(a.stdout, "verified: all %d accepted events are in the database exactly once%s; "+
		"nothing else is there\n", v.accepted, unclear)
	return nil
}

// incomplete says what was not accepted although nobody interrupted it.
func (a *app) incomplete(ctx context.Context, d *driver, src source) error {
	var faults []error
	if src.file != nil {
		found := src.file.found()
		fmt.Fprintf(a.stdout, "found: %d events, %d other JSON objects, %d lines; "+
			"%d too long, not sent\n", found.events, found.objects, found.lines, found.overlong)
		if found.overlong > 0 {
			faults = append(faults,
				fmt.Errorf("too long for an event and not sent: %d", found.overlong))
		}
		faults = append(faults, found.err)
	}
	troubles := writeTroubles(a.stdout, d)
	if ctx.Err() != nil {
		fmt.Fprintf(a.stdout, "interrupted after %d events\n", d.done.Load())
	} else if troubles > 0 {
		faults = append(faults, fmt.Errorf("events sent without success: %d", troubles))
	}
	return errors.Join(faults...)
}
