package httpsink

// Idempotency keys: the name of what a request writes.

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/seed-4c1eaf8a/batcher"
)

// keys makes the idempotency keys of one sink.
type keys struct {
	header string
	nonce  [16]byte // tells this sink from all others, those of earlier processes included
}

func newKeys(header string) *keys {
	k := &keys{header: header}
	_, _ = rand.Read(k.nonce[:]) // never fails
	return k
}

// next returns the key for the piece of a batch whose flush ctx belongs to: the same for all attempts
// at it, unless they leave out different items, as an encoder that is not the same each time makes
// them do: a server that has the first must not take the second for it. Outside of a flush, it is
// a fresh one each time.
//
// Nothing else of the items is in it: two batches with the same content must both be written, and
// an encoder may order the keys of a map differently the next time.
func (k *keys) next(ctx context.Context, leftOut map[int]error) string {
	info, ok := batcher.InfoFrom(ctx)
	if !ok {
		var fresh [16]byte
		_, _ = rand.Read(fresh[:])
		return uuid(fresh)
	}
	b := make([]byte, 0, 64)
	b = append(b, k.nonce[:]...)
	b = binary.BigEndian.AppendUint64(b, info.Batch)
	b = binary.BigEndian.AppendUint64(b, uint64(info.Offset))
	b = binary.BigEndian.AppendUint64(b, uint64(info.Size))
	for _, i := range slices.Sorted(maps.Keys(leftOut)) {
		b = binary.BigEndian.AppendUint64(b, uint64(i))
	}
	sum := sha256.Sum256(b)
	return uuid([16]byte(sum[:]))
}

// uuid spells id as a UUID of version 8, the one for ids of one's own making: some servers take
// nothing else as a key.
func uuid(id [16]byte) string {
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	b := make([]byte, 0, 36)
	for _, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if len(b) > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}
