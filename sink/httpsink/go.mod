module github.com/seed-4c1eaf8a/batcher/sink/httpsink

go 1.25.0

require (
	github.com/klauspost/compress v1.20.4
	github.com/seed-4c1eaf8a/batcher v0.0.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require go.yaml.in/yaml/v3 v3.0.5 // indirect

replace github.com/seed-4c1eaf8a/batcher => ../../
