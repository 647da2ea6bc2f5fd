// Package proptest attacks the batcher from the outside: a naive model of its
// contract, random scripts that are compared with the model step by step in
// virtual time, stress runs in real time, and fuzz targets.
//
// It is a module of its own, so that its test tools do not become dependencies
// of the library. Nothing in it knows how the batcher is built: only exported
// names are used, and the model is written from the documentation.
//
// The parts:
//
//   - [Model] is the batcher as a single-threaded simulation. Time is a number
//     that [Model.Advance] moves; every item, batch and waiting call is a plain
//     struct. It is slow and obvious on purpose.
//   - [Tree] is an error as a flush function may return it, as data, with
//     [Tree.Judge], the naive answer to the question what becomes of each item.
//   - [Behaviour] is what one call of the flush function does.
//   - The front ends with keys have no model that predicts every call. Their scripts are
//     data; a ledger has the page of each item, and what must hold is checked whenever a
//     flush begins, and after each step, when nothing moves. The stress is one and the
//     same for all front ends.
//
// The environment variable PROPTEST_LONG, a factor from 2 on, makes the random
// scripts more and the stress runs longer by so much.
package proptest
