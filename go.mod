module github.com/seed-4c1eaf8a/batcher

go 1.25.0
