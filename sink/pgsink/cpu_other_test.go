//go:build !unix

package pgsink_test

import "time"

func cpuTime() time.Duration { return 0 }
