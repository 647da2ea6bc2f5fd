module github.com/seed-4c1eaf8a/batcher/internal/proptest

go 1.25.0

require (
	github.com/seed-4c1eaf8a/batcher v0.0.0
	go.uber.org/goleak v1.3.0
	pgregory.net/rapid v1.3.0
)

replace github.com/seed-4c1eaf8a/batcher => ../..
