package contender

import (
	_ "github.com/MasterOfBinary/gobatch/batch"
	_ "github.com/bsv-blockchain/go-batcher/v2"
	_ "github.com/destel/rill"
	_ "github.com/eapache/go-resiliency/batcher"
	_ "github.com/joeycumines/go-microbatch"
	_ "github.com/projectdiscovery/utils/batcher"
	_ "github.com/samber/lo"
	_ "github.com/samber/ro"
	_ "github.com/schollz/progressbar/v3"
	_ "github.com/stretchr/testify/require"
	_ "github.com/zeromicro/go-zero/core/executors"
	_ "go.opentelemetry.io/otel/sdk/trace"
	_ "go.uber.org/goleak"
	_ "golang.org/x/perf/benchfmt"
	_ "golang.org/x/perf/benchmath"
	_ "golang.org/x/perf/benchproc"
	_ "gonum.org/v1/plot"
	_ "gonum.org/v1/plot/vg/vgsvg"
	_ "google.golang.org/api/support/bundler"
)
