// Package testdata holds what end-to-end tests and the demo play with: the
// example repository of a small shop, the code of its functions, and folders
// of policies.
package testdata

import "embed"

// Shop is the example: control/ is the control branch (mooring.yaml and
// policies), environment/ is what stands on every environment branch,
// functions/ is the code.
//
//go:embed all:shop
var Shop embed.FS

// Starter is what `mooring policy init` writes, below policies/starter/policies.
//
//go:embed policies/starter
var Starter embed.FS

// Start is what `mooring init` fills in and writes, below start/.
//
//go:embed start
var Start embed.FS
