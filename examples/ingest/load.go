package main

// Made-up events for -load.

import (
	"fmt"
	"iter"
)

// generate yields n events of about 150 bytes of JSON, the same ones for the same
// run except for the ids. The given share of them asks to wait, spread evenly.
func generate(run string, n int, waitShare float64) iter.Seq[request] {
	actions := []string{"login", "logout", "read", "update", "delete", "export", "share"}
	regions := []string{"eu-central", "eu-north", "us-east", "ap-south"}
	return func(yield func(request) bool) {
		for i := range n {
			r := request{
				event: eventInput{
					ID:     fmt.Sprintf("load-%s-%d", run, i),
					UserID: fmt.Sprintf("user-%d", i*7919%1000),
					Action: actions[i%len(actions)],
					Metadata: map[string]string{
						"ip":     fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255),
						"region": regions[i%len(regions)],
					},
				},
				wait: int(float64(i+1)*waitShare) > int(float64(i)*waitShare),
			}
			if !yield(r) {
				return
			}
		}
	}
}
