package proptest

// Stress in real time of the front ends with keys.

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/seed-4c1eaf8a/batcher"
	"go.uber.org/goleak"
)

func stressKeys() keyedConfig {
	return keyedConfig{Config: stressConfig(), Keys: 7, Shards: 4, MaxPending: 90, PerKey: 40}
}

func TestP1_EveryItemOfEveryKeyHasOneFateUnderStress(t *testing.T) {
	for _, policy := range []batcher.Overflow{batcher.Block, batcher.Reject, batcher.DropNewest, batcher.DropOldest} {
		for _, workers := range []int{1, 4} {
			t.Run(fmt.Sprintf("%v, %d workers", policy, workers), func(t *testing.T) {
				cfg := stressKeys()
				cfg.Overflow, cfg.Workers, cfg.Bisect = policy, workers, workers == 4
				runStressOn(t, onSharded, cfg, closeAfterwards)
			})
		}
	}
}

func TestP5_TinyBudgetsOfManyKeysUnderStress(t *testing.T) {
	for _, perKey := range []int{0, 1, 3} {
		for _, policy := range []batcher.Overflow{batcher.Block, batcher.DropOldest} {
			t.Run(fmt.Sprintf("%d per key, %v", perKey, policy), func(t *testing.T) {
				cfg := stressKeys()
				cfg.MaxPending, cfg.PerKey, cfg.Keys, cfg.Workers = 5, perKey, 40, 2
				cfg.Overflow, cfg.MaxDelay = policy, time.Hour // only the budget makes batches due
				runStressOn(t, onSharded, cfg, closeMidway)
			})
		}
	}
}

func TestP3_WeighedItemsOfManyKeysKeepTheirBoundsUnderStress(t *testing.T) {
	cfg := stressKeys()
	cfg.MaxWeight, cfg.Workers, cfg.Eager = 40, 3, true
	runStressOn(t, onSharded, cfg, closeAfterwards)
}

func TestP6_CloseOfManyKeysWhileProducersAreAtWorkLosesNothing(t *testing.T) {
	for _, end := range []closing{closeMidway, closeGivingUp, closeStuck} {
		for _, policy := range []batcher.Overflow{batcher.Block, batcher.DropOldest} {
			t.Run(fmt.Sprintf("way %d, %v", end, policy), func(t *testing.T) {
				cfg := stressKeys()
				cfg.Workers, cfg.Overflow, cfg.PerKey = 3, policy, 0
				runStressOn(t, onSharded, cfg, end)
			})
		}
	}
}

func TestP6_ManySmallRacesOfCloseWithEverythingOfManyKeys(t *testing.T) {
	for round := range 250 * long {
		rnd := rand.New(rand.NewPCG(uint64(round), 9))
		cfg := stressKeys()
		cfg.MaxSize = 1 + rnd.IntN(6)
		cfg.Workers = 1 + rnd.IntN(3)
		cfg.Keys = 1 + rnd.IntN(5)
		cfg.Shards = 1 << rnd.IntN(4)
		cfg.MaxPending = 1 + rnd.IntN(20)
		cfg.PerKey = rnd.IntN(cfg.MaxPending + 1)
		cfg.Overflow = batcher.Overflow(rnd.IntN(4))
		cfg.Eager = rnd.IntN(3) == 0
		cfg.Bisect = rnd.IntN(2) == 0
		if rnd.IntN(3) == 0 {
			cfg.MaxWeight = 5
		}
		runStressOf(t, onSharded, cfg, closing(1+rnd.IntN(3)), 3+rnd.IntN(4), 25, uint64(round))
		if t.Failed() {
			t.Fatalf("round %d: %+v", round, cfg)
		}
	}
	goleak.VerifyNone(t)
}
