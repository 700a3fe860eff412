package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// goType is a type of the plain client that the SDK also exports.
type goType struct {
	Name, Doc string
	Constants []string
	// Fields are listed in the documentation, because go doc does not show an alias's struct.
	Fields []goField
}

// goParams are the parameters of an operation's query. The plain client's type also has those of the header, for which
// the SDK has options.
type goParams struct {
	ID     string
	Fields []goField
}

// goField is a field of a struct. Tag includes the backquotes.
type goField struct{ Name, Type, Tag, Doc string }

// handWritten lists the types of the plain client that the SDK replaces by its own.
var handWritten = []string{"Problem"}

// readGoTypes finds the types that methods take or return, and the types of their fields, in the generated file.
func (c *contract) readGoTypes(file string) error {
	source, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		return err
	}
	declared, docs, constants := map[string]ast.Expr{}, map[string]string{}, map[string][]string{}
	for _, declaration := range source.Decls {
		group, isGroup := declaration.(*ast.GenDecl)
		if !isGroup {
			continue
		}
		for _, spec := range group.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				declared[spec.Name.Name], docs[spec.Name.Name] = spec.Type, group.Doc.Text()
			case *ast.ValueSpec:
				if of, isNamed := spec.Type.(*ast.Ident); isNamed && group.Tok == token.CONST {
					constants[of.Name] = append(constants[of.Name], spec.Names[0].Name)
				}
			}
		}
	}
	reached := map[string]bool{}
	for _, name := range append(c.Types(), "Problem") {
		reach(&ast.Ident{Name: name}, declared, reached)
	}
	for _, o := range c.Queried() {
		params := goParams{ID: o.ID}
		all, isStruct := declared[o.ID+"Params"].(*ast.StructType)
		if !isStruct {
			return fmt.Errorf("%s has no type for its parameters", o.ID)
		}
		for _, field := range all.Fields.List {
			if strings.Contains(field.Tag.Value, `form:"`) && !strings.Contains(field.Tag.Value, lastEventID) {
				params.Fields = append(params.Fields, readGoField(field))
				reach(field.Type, declared, reached)
			}
		}
		c.GoParams = append(c.GoParams, params)
	}
	for name := range reached {
		if slices.Contains(handWritten, name) {
			continue
		}
		found := goType{Name: name, Doc: goDoc(name, docs[name]), Constants: constants[name]}
		if structure, isStruct := declared[name].(*ast.StructType); isStruct {
			for _, field := range structure.Fields.List {
				if ast.IsExported(field.Names[0].Name) {
					found.Fields = append(found.Fields, readGoField(field))
				}
			}
		}
		c.GoTypes = append(c.GoTypes, found)
	}
	slices.SortFunc(c.GoTypes, func(a, b goType) int { return cmp.Compare(a.Name, b.Name) })
	return nil
}

// reach marks the declared types that an expression names, and the types of their fields.
func reach(expression ast.Expr, declared map[string]ast.Expr, reached map[string]bool) {
	ast.Inspect(expression, func(node ast.Node) bool {
		used, isName := node.(*ast.Ident)
		if isName && declared[used.Name] != nil && !reached[used.Name] {
			reached[used.Name] = true
			reach(declared[used.Name], declared, reached)
		}
		return true
	})
}

// readGoField replaces the library's UUID types by the contract's names for them.
func readGoField(field *ast.Field) goField {
	kind := strings.ReplaceAll(types.ExprString(field.Type), "openapi_types.UUID", "ID")
	return goField{
		Name: field.Names[0].Name, Type: kind, Tag: field.Tag.Value,
		Doc: goDoc(field.Names[0].Name, field.Doc.Text()),
	}
}

// goDoc puts a colon between the name with which oapi-codegen begins and the contract's description.
func goDoc(name, doc string) string {
	description, isNamed := strings.CutPrefix(doc, name+" ")
	if !isNamed || strings.HasPrefix(description, "defines ") {
		return doc
	}
	return name + ": " + description
}
