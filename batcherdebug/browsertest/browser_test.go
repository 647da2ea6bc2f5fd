package browsertest

// The browser: one for all tests, a tab for each.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// browser is started by the first test that needs it.
var browser struct {
	once sync.Once
	ctx  context.Context // of the browser
	stop func()
	err  error
}

func TestMain(m *testing.M) {
	status := m.Run()
	if browser.stop != nil {
		browser.stop()
	}
	os.Exit(status)
}

// chromium is the program, as Debian and others call it.
func chromium() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no chromium in the PATH; Debian's package is called chromium")
}

// startBrowser starts it with what keeps it from the network and from the user's settings.
func startBrowser() {
	path, err := chromium()
	if err != nil {
		browser.err = err
		return
	}
	flags := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.WSURLReadTimeout(time.Minute))
	allocator, stopAllocator := chromedp.NewExecAllocator(context.Background(), flags...)
	ctx, stop := chromedp.NewContext(allocator)
	browser.ctx, browser.stop = ctx, func() { stop(); stopAllocator() }
	browser.err = chromedp.Do(ctx)
}

// tab is one test's, with what it has complained about.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu       sync.Mutex // guards the fields below
	problems []string
	asked    []string // addresses
}

// open makes a tab. Without a browser the test is skipped; under CI=true it fails.
func open(t *testing.T) *tab {
	t.Helper()
	browser.once.Do(startBrowser)
	if _, missing := chromium(); missing != nil && os.Getenv("CI") != "true" {
		t.Skip(missing)
	}
	require.NoError(t, browser.err)
	ctx, stop := chromedp.NewContext(browser.ctx)
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	tb := &tab{t: t, ctx: ctx}
	t.Cleanup(func() { cancel(); stop() })
	require.NoError(t, chromedp.Listen(ctx, tb.listen))
	tb.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, first := cdp.Call(ctx, target, cdplog.Enable, cdp.Empty{})
		_, second := cdp.Call(ctx, target, network.Enable, network.EnableParams{})
		return errors.Join(first, second)
	}))
	return tb
}

// listen notes errors, and what is asked for.
func (tb *tab) listen(event any) {
	tb.mu.Lock()
	defer tb.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		tb.problems = append(tb.problems, "exception: "+e.ExceptionDetails.Text)
	case *runtime.EventConsoleAPICalled:
		tb.problems = append(tb.problems, fmt.Sprintf("console.%s %v", e.Type, e.Args))
	case *cdplog.EventEntryAdded:
		tb.problems = append(tb.problems, string(e.Entry.Source)+": "+e.Entry.Text)
	case *network.EventRequestWillBeSent:
		tb.asked = append(tb.asked, e.Request.URL)
	}
}

// clean insists that there were no errors, and no requests to anybody else.
func (tb *tab) clean(server *httptest.Server) {
	tb.t.Helper()
	tb.mu.Lock()
	defer tb.mu.Unlock()
	assert.Empty(tb.t, tb.problems)
	for _, address := range tb.asked {
		assert.True(tb.t, strings.HasPrefix(address, server.URL+"/") || address == "data:,", address)
	}
}

func (tb *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	require.NoError(tb.t, chromedp.Do(tb.ctx, steps...))
}

// show goes to the page, and waits until it is live with so many cards.
func (tb *tab) show(server *httptest.Server, cards int) {
	tb.t.Helper()
	tb.do(chromedp.Navigate(server.URL + "/debug/batcher/"))
	tb.until("live")
	tb.eventually(fmt.Sprintf("document.querySelectorAll('.card').length === %d", cards))
}

// until waits for a state of the connection.
func (tb *tab) until(state string) {
	tb.t.Helper()
	tb.eventually("document.getElementById('connection').dataset.state === '" + state + "'")
}

// eventually waits until an expression is true.
func (tb *tab) eventually(expr string) {
	tb.t.Helper()
	var last string
	ok := assert.Eventually(tb.t, func() bool {
		yes, err := chromedp.Run(tb.ctx, chromedp.Evaluate[bool]("Boolean("+expr+")"))
		if err != nil {
			last = err.Error()
		}
		return yes
	}, time.Minute, 50*time.Millisecond, expr)
	if !ok {
		tb.t.Fatalf("%s; the page says: %s", last, eval[string](tb, "document.body.innerText"))
	}
}

// eval returns the value of an expression.
func eval[T any](tb *tab, expr string) T {
	tb.t.Helper()
	value, err := chromedp.Run(tb.ctx, chromedp.Evaluate[T](expr))
	require.NoError(tb.t, err, expr)
	return value
}

// size sets the size of the window, and the colours.
func (tb *tab) size(width, height int64, scheme string) {
	tb.t.Helper()
	media := emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	tb.do(chromedp.EmulateViewport(width, height), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, media)
		return err
	}))
}

// picture leaves a screenshot in the folder BROWSERTEST_SCREENSHOTS, if that is set.
func (tb *tab) picture(name string) {
	tb.t.Helper()
	dir := os.Getenv("BROWSERTEST_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(tb.ctx, chromedp.FullScreenshot(100))
	require.NoError(tb.t, err)
	require.NoError(tb.t, os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644))
}

// pictureAfter leaves pictures after some time of load; it does not wait if nobody wants any.
func (tb *tab) pictureAfter(load time.Duration, name string) {
	tb.t.Helper()
	if os.Getenv("BROWSERTEST_SCREENSHOTS") == "" {
		return
	}
	tb.do(chromedp.Sleep(load))
	for _, scheme := range []string{"light", "dark"} {
		tb.size(1280, 900, scheme)
		tb.picture(name + "-" + scheme)
	}
}

// serve mounts a page.
func serve(t *testing.T, page http.Handler) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("/debug/batcher/", page)
	server := httptest.NewServer(mux)
	t.Cleanup(func() {
		server.CloseClientConnections() // streams do not end by themselves
		server.Close()
	})
	return server
}
