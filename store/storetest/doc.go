// Package storetest says what an store.Store must do, as tests.
//
// Run is the conformance suite that every adapter passes, in memory, on files and
// against real servers. Memory and Faulty are stores for the tests of other packages:
// the one fails the test when an immutable object would change, the other makes the nth
// operation fail, before or after it took effect:
//
//	store := storetest.Memory(t)
//	for n := 0; ; n++ {
//		f := storetest.NewFaulty(store.Clone(), n, storetest.AnswerLost)
//		err := work(f)
//		… check the promises, run again, check that f.SentAgain() is empty …
//		if !f.Hit() {
//			break // n is beyond the last operation
//		}
//	}
//
// S3 gives the address of a fresh bucket on a real server.
package storetest
