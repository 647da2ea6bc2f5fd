package batcherdebug_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/seed-4c1eaf8a/batcher"
	"github.com/seed-4c1eaf8a/batcher/batcherdebug"
)

func Example() {
	orders, err := batcher.New(func(context.Context, []string) error { return nil }, batcher.WithName("orders"))
	if err != nil {
		log.Fatal(err)
	}
	page := batcherdebug.Handler(orders)
	mux := http.NewServeMux()
	mux.Handle("/debug/batcher/", page) // behind authentication
	server := &http.Server{Handler: mux}
	server.RegisterOnShutdown(page.Close)

	if err := orders.AddWait(context.Background(), "tea"); err != nil {
		log.Fatal(err)
	}

	answer := httptest.NewRecorder() // what curl http://.../debug/batcher/stats.json gets
	mux.ServeHTTP(answer, httptest.NewRequest("GET", "/debug/batcher/stats.json", nil))
	var snapshot batcherdebug.Snapshot
	if err := json.Unmarshal(answer.Body.Bytes(), &snapshot); err != nil {
		log.Fatal(err)
	}
	for _, b := range snapshot.Batchers {
		fmt.Println(b.Name, b.State, b.Stats.Flushed)
	}

	if err := server.Shutdown(context.Background()); err != nil {
		log.Fatal(err)
	}
	if err := orders.Close(context.Background()); err != nil {
		log.Fatal(err)
	}
	// Output: orders flowing 1
}
