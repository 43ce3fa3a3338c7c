// Package drivertest runs gocloud's conformance suite on the adapters' drivers.
package drivertest
