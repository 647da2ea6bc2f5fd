package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newTestService returns a service that does not listen.
func newTestService(t *testing.T, cfg config, st store) (*service, *log) {
	t.Helper()
	var l log
	s, err := newService(cfg, st, l.logger())
	require.NoError(t, err)
	return s, &l
}

// startTestService returns a service that listens on a free port.
func startTestService(t *testing.T, cfg config, st store) (*service, *log) {
	t.Helper()
	s, l := newTestService(t, cfg, st)
	require.NoError(t, s.listen())
	s.start()
	return s, l
}

// do asks the handler, without a network.
func (s *service) do(method, target, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, httptest.NewRequest(method, target, strings.NewReader(body)))
	return w
}

const goodEvent = `{"id":"c1","user_id":"u","action":"login","metadata":{"ip":"10.0.0.1"}}`

func TestAnAcceptedEventIsAnswered202WithItsID(t *testing.T) {
	st := &memoryStore{}
	s, _ := newTestService(t, testConfig(t), st)
	began := time.Now()
	w := s.do("POST", "/event", goodEvent)
	assert.Equal(t, http.StatusAccepted, w.Code)
	assert.Equal(t, "application/json", w.Header().Get("Content-Type"))
	require.NoError(t, s.shutdown())

	require.Len(t, st.events["c1"], 1)
	e := st.events["c1"][0]
	assert.JSONEq(t, fmt.Sprintf(`{"id":%q}`, e.ID), w.Body.String())
	assert.Equal(t, uuid.Version(7), e.ID.Version())
	assert.WithinRange(t, e.Time, began, time.Now())
	e.ID, e.Time = uuid.Nil, time.Time{}
	assert.Equal(t, Event{
		ClientID: "c1", UserID: "u", Action: "login",
		Metadata: map[string]string{"ip": "10.0.0.1"}, Size: len(goodEvent),
	}, e)
	assert.False(t, st.late, "a write after Close")
}

func TestAnEventThatWasWaitedForIsAnswered201OnceStored(t *testing.T) {
	g := newGate()
	st := &memoryStore{before: g.hold}
	s, _ := newTestService(t, testConfig(t), st)
	answer := make(chan *httptest.ResponseRecorder)
	go func() { answer <- s.do("POST", "/event?wait=1", goodEvent) }()
	<-g.arrived
	select {
	case <-answer:
		t.Fatal("answered before the event was stored")
	default:
	}
	g.open()
	assert.Equal(t, http.StatusCreated, (<-answer).Code)
	assert.Len(t, st.events["c1"], 1)
	require.NoError(t, s.shutdown())
}

func TestBadInputIsAnsweredWithItsFault(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	text := func(n int) string { return strings.Repeat("x", n) }
	many := make(map[string]string)
	for i := range maxMetadata + 1 {
		many[fmt.Sprint(i)] = ""
	}
	tooMany, err := json.Marshal(many)
	require.NoError(t, err)
	for _, c := range []struct {
		name, body string
		status     int
		message    string
	}{
		{"empty", ``, 400, "the body is empty"},
		{"blank", " \n", 400, "the body is empty"},
		{"cut off", `{"user_id":"u"`, 400, "the body is not JSON: it ends too early"},
		{"not JSON", `user_id=u`, 400, "the body is not JSON: invalid character 'u' looking for beginning of value"},
		{"an array", `[]`, 400, "the body is a JSON array, not an object"},
		{"a string", `"u"`, 400, "the body is a JSON string, not an object"},
		{"null", `null`, 400, "user_id is missing or empty"},
		{"trailing garbage", `{"user_id":"u","action":"a"} x`, 400, "the body goes on after the JSON object"},
		{"two objects", `{"user_id":"u","action":"a"}{}`, 400, "the body goes on after the JSON object"},
		{"unknown field", `{"user_id":"u","action":"a","time":1}`, 400, `unknown field "time"`},
		{"number for a string", `{"user_id":5,"action":"a"}`, 400,
			`field "user_id" has a JSON number where a string belongs`},
		{"metadata not strings", `{"user_id":"u","action":"a","metadata":{"n":1}}`, 400,
			`field "metadata" has a JSON number where a string belongs`},
		{"metadata no object", `{"user_id":"u","action":"a","metadata":["n"]}`, 400,
			`field "metadata" has a JSON array where an object belongs`},
		{"no user_id", `{"action":"a"}`, 400, "user_id is missing or empty"},
		{"empty user_id", `{"user_id":"","action":"a"}`, 400, "user_id is missing or empty"},
		{"no action", `{"user_id":"u"}`, 400, "action is missing or empty"},
		{"long user_id", `{"user_id":"` + text(maxUserID+1) + `","action":"a"}`, 400,
			"user_id is 129 bytes long, the limit is 128"},
		{"long action", `{"user_id":"u","action":"` + text(maxAction+1) + `"}`, 400,
			"action is 65 bytes long, the limit is 64"},
		{"long id", `{"id":"` + text(maxID+1) + `","user_id":"u","action":"a"}`, 400,
			"id is 129 bytes long, the limit is 128"},
		{"long key", `{"user_id":"u","action":"a","metadata":{"` + text(maxKey+1) + `":""}}`, 400,
			"a metadata key is 65 bytes long, the limit is 64"},
		{"empty key", `{"user_id":"u","action":"a","metadata":{"":"v"}}`, 400,
			"a metadata key is missing or empty"},
		{"long value", `{"user_id":"u","action":"a","metadata":{"k":"` + text(maxValue+1) + `"}}`, 400,
			"a metadata value is 32769 bytes long, the limit is 32768"},
		{"much metadata", `{"user_id":"u","action":"a","metadata":` + string(tooMany) + `}`, 400,
			"metadata has 33 entries, the limit is 32"},
		{"NUL", `{"user_id":"u\u0000","action":"a"}`, 400, "user_id contains a NUL character"},
		{"not UTF-8", "{\"user_id\":\"\xff\",\"action\":\"a\"}", 400, "the body is not valid UTF-8"},
		{"long body", `{"user_id":"` + text(maxBody) + `"}`, 413, "the body is longer than 262144 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := s.do("POST", "/event", c.body)
			assert.Equal(t, c.status, w.Code)
			var answer struct{ Error string }
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
			assert.Equal(t, c.message, answer.Error)
			assert.Empty(t, w.Header().Get("Retry-After"))
		})
	}
	assert.Zero(t, s.batcher.Stats().Added)
	require.NoError(t, s.shutdown())
}

func TestTheLargestValueFitsInABodyHoweverItIsWritten(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	value := strings.Repeat(`\u0001`, maxValue)
	w := s.do("POST", "/event", `{"user_id":"u","action":"a","metadata":{"k":"`+value+`"}}`)
	assert.Equal(t, http.StatusAccepted, w.Code, w.Body)
	require.NoError(t, s.shutdown())
}

func TestOtherMethodsPathsAndQueriesAreRefused(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	for _, c := range []struct {
		method, target string
		status         int
		allow          string
	}{
		{"GET", "/event", 405, "POST"},
		{"PUT", "/event", 405, "POST"},
		{"DELETE", "/event", 405, "POST"},
		{"POST", "/healthz", 405, "GET, HEAD"},
		{"POST", "/metrics", 405, "GET, HEAD"},
		{"POST", "/", 404, ""},
		{"POST", "/event/1", 404, ""},
		{"POST", "/event?wait=2", 400, ""},
		{"POST", "/event?wait=true", 400, ""},
		{"POST", "/event?wait=0", 202, ""},
		{"POST", "/event?wait=", 202, ""},
		{"POST", "/event?other=1", 202, ""},
		{"HEAD", "/healthz", 200, ""},
	} {
		w := s.do(c.method, c.target, goodEvent)
		assert.Equal(t, c.status, w.Code, "%s %s", c.method, c.target)
		assert.Equal(t, c.allow, w.Header().Get("Allow"), "%s %s", c.method, c.target)
	}
	require.NoError(t, s.shutdown())
}

// brokenBody fails as a connection does that is cut in the middle of a request.
type brokenBody struct{}

func (brokenBody) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestABodyThatBreaksOffIsNoEvent(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	w := httptest.NewRecorder()
	s.server.Handler.ServeHTTP(w, httptest.NewRequest("POST", "/event", brokenBody{}))
	assert.Equal(t, http.StatusBadRequest, w.Code)
	assert.Contains(t, w.Body.String(), "could not be read")
	require.NoError(t, s.shutdown())
}

func TestWithoutRoomTheAnswerIs503AndLaterItIsNot(t *testing.T) {
	g := newGate()
	st := &memoryStore{before: g.hold}
	cfg := testConfig(t)
	cfg.size, cfg.roomWait = 1, time.Millisecond
	s, _ := newTestService(t, cfg, st)
	accepted := 0
	for s.batcher.Stats().Pending < 3 { // a refusal before that is a slow machine's
		if s.do("POST", "/event", goodEvent).Code == http.StatusAccepted {
			accepted++
		}
	}
	assert.Equal(t, 3, accepted, "batches of one: one with the worker, two queued")
	w := s.do("POST", "/event", goodEvent)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Equal(t, "1", w.Header().Get("Retry-After"))
	assert.Contains(t, w.Body.String(), "too busy")
	w = s.do("POST", "/event?wait=1", goodEvent)
	assert.Equal(t, http.StatusServiceUnavailable, w.Code, "nor with wait=1")
	assert.Equal(t, "1", w.Header().Get("Retry-After"))

	g.open()
	require.Eventually(t, func() bool {
		if s.do("POST", "/event?wait=1", goodEvent).Code != http.StatusCreated {
			return false
		}
		accepted++
		return true
	}, time.Minute, time.Millisecond)
	require.NoError(t, s.shutdown())
	assert.Len(t, st.events["c1"], accepted, "what was refused left no trace")
}

func TestAClosedServiceAnswers503(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	require.NoError(t, s.shutdown())
	for _, target := range []string{"/event", "/event?wait=1"} {
		w := s.do("POST", target, goodEvent)
		assert.Equal(t, http.StatusServiceUnavailable, w.Code)
		assert.Equal(t, "1", w.Header().Get("Retry-After"))
		assert.Contains(t, w.Body.String(), "shutting down")
	}
	assert.Equal(t, http.StatusServiceUnavailable, s.do("GET", "/healthz", "").Code)
}

func TestAClientThatLeavesIsNotWaitedFor(t *testing.T) {
	g := newGate()
	s, _ := newTestService(t, testConfig(t), &memoryStore{before: g.hold})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r := httptest.NewRequestWithContext(ctx, "POST", "/event?wait=1", strings.NewReader(goodEvent))
		s.server.Handler.ServeHTTP(httptest.NewRecorder(), r)
	}()
	<-g.arrived
	cancel()
	<-done
	g.open()
	require.NoError(t, s.shutdown())
	assert.EqualValues(t, 1, s.batcher.Stats().Flushed, "the event goes on without its client")
}

func TestAFailingStoreIsAnswered500AndTheEventIsSaved(t *testing.T) {
	st := &memoryStore{before: func(context.Context, []Event) error { return errors.New("disk on fire") }}
	cfg := testConfig(t)
	cfg.attempts = 1
	s, l := newTestService(t, cfg, st)
	w := s.do("POST", "/event?wait=1", goodEvent)
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.Regexp(t, `event [0-9a-f-]{36} was accepted but could not be stored: disk on fire`, w.Body.String())

	err := s.shutdown()
	require.ErrorContains(t, err, "1 of 1 accepted events were not stored: 1 failed, 0 handed back; see "+cfg.rescueFile)
	assert.Contains(t, l.String(), "EVENTS NOT STORED")
	lines := readRescued(t, cfg.rescueFile)
	require.Len(t, lines, 1)
	assert.Equal(t, "failed", lines[0].Outcome)
	assert.Equal(t, "disk on fire", lines[0].Cause)
	assert.Equal(t, "c1", lines[0].Event.ID)
	assert.Contains(t, w.Body.String(), lines[0].StoreID)
}

func TestAStoreThatRecoversLosesNothing(t *testing.T) {
	failures := 3
	st := &memoryStore{before: func(context.Context, []Event) error {
		if failures--; failures >= 0 { // one worker: no lock needed
			return errors.New("not yet")
		}
		return nil
	}}
	s, l := newTestService(t, testConfig(t), st)
	w := s.do("POST", "/event?wait=1", goodEvent)
	assert.Equal(t, http.StatusCreated, w.Code)
	assert.EqualValues(t, 3, s.batcher.Stats().Retries)
	assert.Contains(t, l.String(), "batcher: flush failed, to be tried again")
	require.NoError(t, s.shutdown())
	assert.Len(t, st.events["c1"], 1)
	assert.NoFileExists(t, s.cfg.rescueFile)
}

func TestAHangingStoreIsAnswered504(t *testing.T) {
	g := newGate()
	st := &memoryStore{before: g.hold}
	cfg := testConfig(t)
	cfg.waitLimit = time.Millisecond
	s, _ := newTestService(t, cfg, st)
	w := s.do("POST", "/event?wait=1", goodEvent)
	assert.Equal(t, http.StatusGatewayTimeout, w.Code)
	assert.Contains(t, w.Body.String(), "was accepted but is not stored yet")
	g.open()
	require.NoError(t, s.shutdown())
	assert.Len(t, st.events["c1"], 1, "and yet it is stored in the end")
}

func TestWaitingLongerThanTheReadTimeoutIsAllowed(t *testing.T) {
	g := newGate()
	cfg := testConfig(t)
	cfg.readLimit = time.Second
	s, _ := startTestService(t, cfg, &memoryStore{before: g.hold})
	time.AfterFunc(cfg.readLimit*3/2, g.open)
	response, err := http.Post(s.url()+"/event?wait=1", "application/json", strings.NewReader(goodEvent))
	require.NoError(t, err)
	defer response.Body.Close()
	assert.Equal(t, http.StatusCreated, response.StatusCode)
	http.DefaultClient.CloseIdleConnections()
	require.NoError(t, s.shutdown())
}

func TestHealthIsTheStores(t *testing.T) {
	st := &memoryStore{}
	cfg := testConfig(t)
	s, _ := newTestService(t, cfg, st)
	w := s.do("GET", "/healthz", "")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.JSONEq(t, `{"status":"ok"}`, w.Body.String())

	st.check = errors.New("no connection")
	w = s.do("GET", "/healthz", "")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.JSONEq(t, `{"error":"no connection"}`, w.Body.String())

	st.check = nil
	s.cfg.healthLimit = 0 // the time is up before the store has answered
	w = s.do("GET", "/healthz", "")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.JSONEq(t, `{"error":"the store did not answer in time"}`, w.Body.String())
	require.NoError(t, s.shutdown())
}

func TestMetricsAreInTheTextFormatWithTheKnownNames(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	for range 3 {
		require.Equal(t, http.StatusCreated, s.do("POST", "/event?wait=1", goodEvent).Code)
	}
	w := s.do("GET", "/metrics", "")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Header().Get("Content-Type"), "text/plain; version=0.0.4; charset=utf-8")
	for _, line := range []string{
		`batcher_added_total{name="ingest"} 3`,
		`batcher_flushed_total{name="ingest"} 3`,
		`batcher_failed_total{name="ingest"} 0`,
		`batcher_dropped_total{name="ingest"} 0`,
		`batcher_returned_total{name="ingest"} 0`,
		`batcher_retries_total{name="ingest"} 0`,
		`batcher_batches_total{name="ingest",reason="delay"} 3`,
		`batcher_pending_items{name="ingest"} 0`,
		`batcher_queue_depth{name="ingest"} 0`,
		`batcher_oldest_age_seconds{name="ingest"} 0`,
		`batcher_batch_size_items_bucket{name="ingest",le="1"} 3`,
		`batcher_batch_size_items_sum{name="ingest"} 3`,
		`batcher_queue_delay_seconds_count{name="ingest"} 3`,
		`batcher_flush_duration_seconds_count{name="ingest",result="ok"} 3`,
		`batcher_flush_duration_seconds_bucket{name="ingest",result="error",le="+Inf"} 0`,
		`ingest_flush_duration_seconds_count 3`,
		`ingest_batch_size_events{quantile="1"} 1`,
	} {
		assert.Contains(t, w.Body.String(), line+"\n")
	}
	require.NoError(t, s.shutdown())
}

func TestTheDebugPageShowsTheBatcherAndDoesNotHoldTheShutdownUp(t *testing.T) {
	s, _ := newTestService(t, testConfig(t), &memoryStore{})
	require.NoError(t, s.listen())
	s.start()
	require.Equal(t, http.StatusCreated, s.do("POST", "/event?wait=1", goodEvent).Code)
	w := s.do("GET", "/debug/batcher/stats.json", "")
	assert.Equal(t, http.StatusOK, w.Code)
	assert.Contains(t, w.Body.String(), `"flushed": 1`)
	watching, err := http.Get(s.url() + "/debug/batcher/events")
	require.NoError(t, err)
	defer watching.Body.Close()
	s.cfg.grace = time.Hour // a third of which the shutdown would wait for a request
	require.NoError(t, s.shutdown())
	text, err := io.ReadAll(watching.Body)
	require.NoError(t, err)
	assert.Contains(t, string(text), "event: closed")
	http.DefaultClient.CloseIdleConnections()
}

func TestTheHistogramKeepsItsPromises(t *testing.T) {
	h := newLatencies()
	assert.Zero(t, h.quantile(.5))
	for i := 1; i <= 1000; i++ {
		h.observe(float64(i) / 1000)
	}
	assert.EqualValues(t, 1000, h.count())
	assert.InEpsilon(t, 500.5, h.total(), 1e-9)
	assert.InEpsilon(t, .5, h.quantile(.5), .02)
	assert.InEpsilon(t, .99, h.quantile(.99), .02)
	assert.InDelta(t, 1, h.quantile(1), 0)
	assert.InDelta(t, 1, h.max(), 0)
	h.observe(0)
	h.observe(1e9) // above all bounds
	assert.InDelta(t, 1e9, h.quantile(1), 0)
	assert.InDelta(t, 1e-6, h.quantile(0), 0)
}

// readRescued reads the file of the rescued, and checks that each event in it
// could be sent again.
func readRescued(t *testing.T, path string) (lines []rescued) {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	for line := range bytes.Lines(text) {
		var parts struct{ Event json.RawMessage }
		require.NoError(t, json.Unmarshal(line, &parts))
		_, err := decodeEvent(parts.Event)
		require.NoError(t, err, "%s", line)
		var r rescued
		require.NoError(t, json.Unmarshal(line, &r))
		lines = append(lines, r)
	}
	return lines
}
