// SPDX-License-Identifier: BSD-3-Clause

package pecoff

// Profile is one boot variant of a unified kernel image (UAPI group, UKI specification, "Multi-Profile
// UKIs"). A section named .profile starts a profile and belongs to it; sections before the first
// .profile are the base, shared by all.
type Profile struct {
	Base []Section // sections of every profile
	Own  []Section // sections of this one, .profile first; they take the place of base sections of the same name
}

// Profiles returns the profiles of the image in the order of their numbers, as selected with "@0", "@1", … in
// the load options. An image without .profile has one, which is all base; systemd-stub takes "@0" for it.
func (im *Image) Profiles() []Profile {
	var starts []int
	for i, s := range im.Sections {
		if s.Name == ".profile" {
			starts = append(starts, i)
		}
	}
	if len(starts) == 0 {
		return []Profile{{Base: im.Sections}}
	}
	base := im.Sections[:starts[0]:starts[0]]
	profiles := make([]Profile, len(starts))
	for k, from := range starts {
		to := len(im.Sections)
		if k+1 < len(starts) {
			to = starts[k+1]
		}
		profiles[k] = Profile{Base: base, Own: im.Sections[from:to:to]}
	}
	return profiles
}

// Section returns the section of that name that is in force: the first of the profile's own, or else the first
// of the base. Names that may repeat (.dtbauto, .efifw) are matched to the machine by the stub; look through
// Own and Base for those.
func (p Profile) Section(name string) (s Section, ok bool) {
	if s, ok = findSection(p.Own, name); ok {
		return s, true
	}
	return findSection(p.Base, name)
}
