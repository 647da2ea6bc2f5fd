package report

// Instances that have nothing to do.

// idle is processor time.
func (p *Page) idle(s *Set) string {
	const bench = "Idle"
	used := p.columnOf(s, "processor time per second and instance", bench, "", "cpu-sec/inst-sec")
	used.cell = "processor time of an idle instance"
	running := p.columnOf(s, "goroutines per instance", bench, "", "goroutines/inst")
	running.cell = ""
	impls := p.order(s.impls(func(k Key) bool { return k.Bench == bench }), used)
	return "Processor time that an instance takes which has nothing to do, after it has had one batch, and the goroutines that it keeps.\n\n" +
		origin(s) + p.compare("idle", impls, []column{used, running})
}

// memory is what 10 000 instances hold.
func (p *Page) memory(s *Set) string {
	const bench = "Memory"
	held := p.columnOf(s, "memory per instance", bench, "", "B/inst")
	held.cell = "memory of an idle instance"
	impls := p.order(s.impls(func(k Key) bool { return k.Bench == bench }), held)
	return "Memory that an instance holds which has nothing to do: heap and stacks of 10 000 of them, by 10 000.\n\n" +
		origin(s) + p.compare("memory", impls, []column{held})
}
