package batcher

// Keys: what the front ends with keys have in common.

import (
	"hash/maphash"
	"math/bits"
	"reflect"
)

// Entry is an item with its key. [Sharded] and [Combiner] hand items back in this
// form: in a [DeadLetter], and in a [*CloseError].
type Entry[K comparable, T any] struct {
	Key  K
	Item T
}

// hasher spreads keys over shards. The seed is its own, so that nobody can choose keys
// that all fall into one.
type hasher[K comparable] struct {
	seed    maphash.Seed
	mask    uint64 // the number of shards less one, a power of two less one
	doubted bool   // a K may hold a value that cannot be hashed
}

// newHasher returns a hasher for n shards, rounded up to a power of two.
func newHasher[K comparable](n int) hasher[K] {
	return hasher[K]{
		seed:    maphash.MakeSeed(),
		mask:    uint64(powerOfTwo(n)) - 1,
		doubted: !alwaysHashable(reflect.TypeFor[K]()),
	}
}

// shards returns the number of shards.
func (h *hasher[K]) shards() int { return int(h.mask) + 1 }

// shard returns the number of key's shard. It reports false for a key that could
// never be found again. No lock may be held: hashing may panic inside.
func (h *hasher[K]) shard(key K) (n int, ok bool) {
	if h.doubted {
		return h.doubtedShard(key)
	}
	return int(maphash.Comparable(h.seed, key) & h.mask), key == key
}

func (h *hasher[K]) doubtedShard(key K) (n int, ok bool) {
	defer func() {
		if recover() != nil { // hashing says that it cannot be done
			n, ok = 0, false
		}
	}()
	return int(maphash.Comparable(h.seed, key) & h.mask), key == key
}

// powerOfTwo returns the least power of two that is not below n, for n from 1 on.
func powerOfTwo(n int) int { return 1 << bits.Len(uint(n-1)) }

// alwaysHashable reports whether every value of the comparable type t can be
// hashed: whether it has no interface in it.
func alwaysHashable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Array:
		return alwaysHashable(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if !alwaysHashable(t.Field(i).Type) {
				return false
			}
		}
	}
	return true
}
