package reflection

// Worse than interfaces: to make the slice that the sink wants by reflection.

import "reflect"

// Reflect is Slow with a sink of any type: a func(batch []T) error, for whatever T. It makes the
// slice and calls the sink by reflection, as libraries did before there were type parameters.
//
// The items are boxed as in Slow; and then each is put in its place by a call that
// looks at types again and again.
type Reflect struct {
	Slow
}

// NewReflect starts a batcher for batches of size items. It panics if sink is no
// func([]T) error.
func NewReflect(size int, sink interface{}) *Reflect {
	call := reflect.ValueOf(sink)
	sliceType := call.Type().In(0)
	buf := reflect.MakeSlice(sliceType, size, size)
	return &Reflect{*NewSlow(size, func(batch []interface{}) error {
		for i, item := range batch {
			value := reflect.ValueOf(item)
			if value.Type() != sliceType.Elem() {
				return ErrType
			}
			buf.Index(i).Set(value)
		}
		out := call.Call([]reflect.Value{buf.Slice(0, len(batch))})
		err, _ := out[0].Interface().(error)
		return err
	})}
}
