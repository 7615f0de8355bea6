// Package rego decides by Rego: it loads a policy folder, refuses what could
// fail open, and evaluates each package by itself, strictly and within limits.
// It is the only importer of OPA. It refuses to read anything but the tree and
// the input it is given: no network, no clock, no environment; and it refuses
// to allow what it could not evaluate.
//
// # Folder
//
// policies/**/*.rego hold packages policy.POINT.NAME, which decide, and
// policy.lib.NAME, which help. policies/data/**.json|yaml are read as
// data.config.FILE. *_test.rego are run before a bundle becomes active. The
// library policy.lib.{approval,blast_radius,freeze,soak,window} is built in.
//
// A package may define the rules of its point (see policy.md) and helpers:
// functions, rules a known rule uses, and rules whose name starts with an
// underscore. Any other rule is taken for a misspelt one.
package rego

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"mooring.dev/policy"
)

// LoadOptions says what to load. The zero value loads "policies" with the
// default deadlines.
type LoadOptions struct {
	Revision string // told in every decision; the commit of the control branch
	Dir      string // default "policies"
	// TestDeadline is for one test of the folder (default 5s); SuiteDeadline
	// for all of them (default 60s).
	TestDeadline  time.Duration
	SuiteDeadline time.Duration
	// Tested says that the tests of these very files have passed already, and
	// need not run again.
	Tested bool
}

// Bundle is a policy folder that passed every check. It is immutable.
type Bundle struct {
	Revision string
	Tests    int // how many of the folder's tests passed; 0 if they had been run before

	digest  string            // of the folder
	sources map[string]string // digests of the packages' texts

	actor      bool
	config     ast.Value               // data.config
	packages   map[policy.Point][]*pkg // sorted by name
	validators map[policy.Point]*validator
}

// Packages are the names of the packages that decide at p, sorted.
func (b *Bundle) Packages(p policy.Point) []string {
	var names []string
	for _, k := range b.packages[p] {
		names = append(names, k.name)
	}
	return names
}

// Opens are the packages whose word can allow at p: what is protected stays
// closed without one.
func (b *Bundle) Opens(p policy.Point) []string {
	var names []string
	for _, k := range b.packages[p] {
		if k.terms.level == mandatory && slices.Contains(k.rules, "allow") {
			names = append(names, k.name)
		}
	}
	return names
}

// About is what there is to know of the policies without asking them.
func (b *Bundle) About() policy.About {
	return policy.About{Digest: b.digest, Tests: b.Tests, Guards: b.Packages(policy.Activation), Packages: b.sources}
}

// sourcesOf are digests of the folder's texts, by package.
func sourcesOf(modules map[string]*ast.Module, folder Folder) map[string]string {
	texts := map[string][]byte{}
	for _, file := range sortedKeys(modules) {
		if text, own := folder.Files[file]; own {
			p, _ := placeOf(modules[file].Package)
			texts[p.name] = append(append(texts[p.name], file+"\x00"...), text...)
		}
	}
	out := map[string]string{}
	for name, text := range texts {
		out[name] = digest(text)
	}
	return out
}

// ReadsActor is true when a drift package looks at who made a change: a revert
// is then worth waiting for an answer to that.
func (b *Bundle) ReadsActor() bool { return b.actor }

// Load reads, checks, compiles and tests a policy folder. The error is a
// *LoadError with everything that was found wrong. A tree without the folder
// makes a bundle without packages: the built-in defaults then decide.
func Load(tree fs.FS, o LoadOptions) (*Bundle, error) {
	o = o.withDefaults()
	return LoadFolder(Gather(tree, o.Dir), o)
}

// LoadFolder is Load for a folder that was read before.
func LoadFolder(folder Folder, o LoadOptions) (*Bundle, error) {
	o = o.withDefaults()
	s, compiler, err := examine(folder.sorted())
	if err != nil {
		return nil, err
	}
	b, err := newBundle(compiler, s.config)
	if err != nil {
		return nil, err
	}
	b.Revision, b.digest, b.sources = o.Revision, folder.Digest(), sourcesOf(s.modules, folder)
	if o.Tested {
		return b, nil
	}
	passed, fs := runSuite(s, o)
	b.Tests = passed
	if err := fs.err(); err != nil {
		return nil, err
	}
	return b, nil
}

// examine does all that can be done without evaluating anything: it parses,
// checks and compiles. fs are the faults of reading.
func examine(found files, fs faults) (suite, *ast.Compiler, error) {
	modules := parseAll(found.modules, &fs)
	tests := parseAll(found.tests, &fs)
	lib := library()
	fs = append(fs, checkModules(modules, lib.names)...)
	fs = append(fs, checkTestPackages(tests, lib.names)...)
	if len(modules) < len(found.modules) || len(tests) < len(found.tests) {
		return suite{}, nil, fs.err() // compiling half of it would find faults that are none
	}
	soften(modules, &fs)
	maps.Copy(modules, lib.usedBy(modules, tests))
	compiler := compile(modules, found.config)
	if compiler.Failed() {
		fs.opa("", compiler.Errors)
		return suite{}, nil, fs.err()
	}
	fs = append(fs, checkRefs(compiler, found.config)...)
	return suite{modules: modules, tests: tests, config: found.config}, compiler, fs.err()
}

// newBundle is what was examined, ready to be asked.
func newBundle(compiler *ast.Compiler, config map[string]any) (*Bundle, error) {
	b := &Bundle{packages: map[policy.Point][]*pkg{}, validators: map[policy.Point]*validator{}}
	return b, b.prepare(compiler, config)
}

// prepare makes the queries, one a package, and the validators.
func (b *Bundle) prepare(compiler *ast.Compiler, config map[string]any) error {
	store := inmem.NewFromObject(map[string]any{"config": config})
	var err error
	if b.config, err = ast.InterfaceToValue(config); err != nil {
		return fmt.Errorf("load policies: read data.config: %w", err)
	}
	rules := map[string]map[string]bool{}
	gentle := map[string]map[string]gentleRule{}
	packages := map[string]*ast.Package{}
	for _, m := range compiler.Modules {
		p, ok := placeOf(m.Package)
		if !ok || p.lib {
			continue
		}
		if rules[p.name] == nil {
			rules[p.name], packages[p.name] = map[string]bool{}, m.Package
			gentle[p.name] = map[string]gentleRule{}
		}
		b.actor = b.actor || p.point == policy.Drift && readsActor(compiler, m)
		for _, r := range m.Rules {
			if name := string(r.Head.Name); hasRule(p.point, name) {
				rules[p.name][name] = true
			}
			if g, ok := gentleOf(r); ok {
				gentle[p.name][g.name] = g
			}
		}
	}
	var fs faults
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		p, _ := placeOf(packages[name])
		k := &pkg{name: name, rules: slices.Sorted(maps.Keys(rules[name]))}
		for _, hidden := range sortedKeys(gentle[name]) {
			k.gentle = append(k.gentle, gentle[name][hidden])
		}
		if err := k.prepare(compiler, store, packages[name]); err != nil {
			fs.at(packages[name].Location, "package_error", "package %s: %v", name, err)
		}
		b.packages[p.point] = append(b.packages[p.point], k)
	}
	for _, p := range points {
		b.validators[p] = newValidator(inputForm(p))
	}
	return fs.err()
}

func hasRule(p policy.Point, name string) bool {
	_, ok := ruleNames[p][name]
	return ok
}
