package kafkasink

// What Write allocates by itself, beside the client.

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestAllocEncodingABatchIsFourAllocationsWhateverItsSize(t *testing.T) {
	client, err := kgo.NewClient(kgo.DefaultProduceTopic("events")) // connects to nobody
	require.NoError(t, err)
	defer client.Close()
	value := make([]byte, 100)
	sink, err := New(client, func(_ int, r *kgo.Record) error {
		r.Key, r.Value = value[:8], value
		return nil
	})
	require.NoError(t, err)
	for _, size := range []int{1, 100, 1000} {
		batch := make([]int, size)
		sink.encode(batch) // the next one knows the size
		// The slab, the pointers into it, the block of bytes, and the struct.
		assert.Equal(t, 4.0, testing.AllocsPerRun(20, func() { sink.encode(batch) }), "%d items", size)
	}
}
