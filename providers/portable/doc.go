// Package portable stores archives in any bucket of gocloud.dev/blob that a program has opened itself. It links no
// provider's SDK.
package portable
