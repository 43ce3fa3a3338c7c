// Package mem stores archives in the memory of this process, for tests and experiments.
package mem
