// Package batcherdebug serves a page that shows what batchers do while they do it, for whoever is
// on call or turns their knobs.
//
//	page := batcherdebug.Handler(orders, events)
//	mux.Handle("/debug/batcher/", page)
//	server.RegisterOnShutdown(page.Close)
//
// It is read-only, but error texts and names can say more than strangers should know: keep it behind
// authentication, or on a port that only operators reach.
//
// # What it serves
//
// Under whatever path it is mounted at, also behind [http.StripPrefix]:
//
//	(the path itself)   the page: for each batcher a card, with a verdict in words, live charts, the last
//	                    errors and the configuration
//	stats.json          the same as JSON, see [Snapshot]: made for curl and jq
//	events              the same as a stream of server-sent events, one each second
//	page.js, page.css   parts of the page; nothing comes from elsewhere
//
// Anything else is 404. Methods other than GET and HEAD are 405.
//
// # What it costs
//
// Add: nothing. A batch: a lock and a few stores for each attempt, no allocation unless it fails;
// in BenchmarkAdd and BenchmarkBatch no difference was found (p=0.63 and p=0.85, ten rounds). The
// memory is fixed, some 12 KiB for each batcher and the texts of its errors: the last 512 attempts
// and batches, and the last 10 different errors. Older history is the page's own, from the moment
// at which it was opened. While nobody watches there is no goroutine and no timer. While somebody
// does, one snapshot is made each second for all that watch; it takes a Stats of each batcher, and
// some 25 us (BenchmarkSnapshot). A Combiner whose combine function hangs makes it wait, as it does
// Stats.
//
// A client that stops reading is cut off after 10 seconds. Of more than [MaxStreams] at once, the
// further ones are answered 503; the page then asks for stats.json every other second.
package batcherdebug
