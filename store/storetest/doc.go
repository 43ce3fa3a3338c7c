// Package storetest specifies store.Store by tests.
//
// Run is the conformance suite that every adapter must pass, in memory, on files and against real servers. Memory and
// Faulty return stores for the tests of other packages. Memory's fails the test if an immutable object would change.
// Faulty's makes the nth operation fail, before or after it took effect:
//
//	store := storetest.Memory(t)
//	for n := 0; ; n++ {
//		f := storetest.NewFaulty(store.Clone(), n, storetest.AnswerLost)
//		err := work(f)
//		… check the guarantees, run again, check that f.SentAgain() is empty …
//		if !f.Hit() {
//			break // n is beyond the last operation
//		}
//	}
//
// S3, Azure and GCS return the URL of an archive in a new bucket on a real server; they skip the test without one. A
// Proxy in front of a server delays, limits and breaks connections.
package storetest
