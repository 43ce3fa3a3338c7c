// Package store declares what an archive needs of the place that holds its objects: the Store
// interface, its optional interfaces and its errors. Packages below providers implement it,
// store/storetest has its conformance tests, and store/storecheck checks a store in use.
package store
