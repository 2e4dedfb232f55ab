# SPDX-License-Identifier: LGPL-2.1-or-later
haadm_CFLAGS := $(shell pkg-config --cflags libedit json-c smartcols libpci libcrypto)
haadm_LIBS := $(shell pkg-config --libs libedit json-c smartcols libpci libcrypto)

# What is made from the table of commands, by the program itself
haadm_made := $(O)/haadm.8 $(O)/haadm.bash-completion $(O)/_haadm $(O)/haadm.schema.json
haadm: $(haadm_made)

$(O)/haadm.8: haadm/haadm.8.in $(O)/haadm
	$(Q)$(O)/haadm --man >$@.table
	$(Q)sed -e '/^@TABLE@$$/{r $@.table' -e 'd}' $< >$@
	$(Q)rm $@.table

$(O)/haadm.bash-completion: $(O)/haadm
	$(Q)$< --completion bash >$@

$(O)/_haadm: $(O)/haadm
	$(Q)$< --completion zsh >$@

$(O)/haadm.schema.json: haadm/schema.py haadm/fields.json
	$(Q)$^ >$@
