// Package storecheck checks by trial whether a store keeps the guarantees that archives rely on: the
// check behind "strongroom check". It writes small objects below store.ProbePrefix and deletes them.
package storecheck
