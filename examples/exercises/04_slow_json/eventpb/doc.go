// Package eventpb is the code that protoc-gen-go makes of event.proto: the wire format of exercise 4
// between programs that agree on Protocol Buffers.
package eventpb

//go:generate go run github.com/bufbuild/buf/cmd/buf@v1.75.0 generate
