// Package batcherdebug serves a page that shows what batchers do while they do it, for whoever is
// on call or turns their knobs.
//
//	page := batcherdebug.Handler(orders, events)
//	mux.Handle("/debug/batcher/", page)
//	server.RegisterOnShutdown(page.Close)
//
// It is read-only, but error texts and names can say more than strangers should know: keep it
// behind authentication, or on a port that only operators reach.
//
// # What it serves
//
// Under whatever path it is mounted at, with a slash at its end, also behind [http.StripPrefix]:
//
//	(the path itself)   the page: for each batcher a card, with a verdict in words, live charts, the
//	                    last errors and the configuration
//	stats.json          the same as JSON, see [Snapshot]: made for curl and jq
//	events              the same as a stream of server-sent events, one each second
//	page.css, *.js      parts of the page; nothing comes from elsewhere
//
// The last element of the path counts, since the handler does not know where it is mounted. Any
// other is 404. Methods other than GET and HEAD are 405. After [Page.Close] all is 503.
//
// The verdict is a [State] and a sentence that names the cause: which bound it is that producers
// wait at, the last error, a flush that hangs. A batcher that does not answer, such as a Combiner
// whose combine function hangs, is shown as [Silent], with its last known figures; it holds up one
// snapshot by a second, and no more.
//
// # What it costs
//
// Add: nothing; in batches of 500 no difference was found (BenchmarkAdd, twenty rounds in
// alternating order on 2 cores: p=0.39). A batch: two locks and a few stores for each attempt, some
// 210 ns (BenchmarkHooks), and no allocation unless it fails; a batch of one item, from Add to its
// end, took 1.3 us more of 6.5 in one run (BenchmarkBatch, p=0.003), and no more in another
// (p=0.44).
//
// The memory is fixed, some 16 KiB for each batcher and the texts of its errors: the last 512
// attempts and batches, and the last 10 different errors. Older history is the page's own, from the
// moment at which it was opened. While nobody watches there is no goroutine and no timer. While
// somebody does, one snapshot is made each second for all that watch; for each batcher it takes a
// Stats, from a goroutine that ends with it, and some 50 us (BenchmarkSnapshot).
//
// # Clients that do not read
//
// A client that takes next to nothing in is cut off when a write has waited for 10 seconds, in
// place of the server's WriteTimeout, and a second after [Page.Close]; as long as the network's
// buffers take it in, nobody can tell. Over HTTP/2, a connection that stalls as a whole needs
// WriteByteTimeout in [http.HTTP2Config] for that. A stream ends after 10 minutes, and the page
// opens the next one.
//
// Of more than [MaxStreams] streams at once, the further ones are answered 503; where middleware
// hides the deadlines of [http.ResponseController] they are answered 501, and where something keeps
// events back they seem silent. The page then asks for stats.json every other second. Behind such
// middleware, nothing bounds how long that answer waits for a client.
package batcherdebug
