#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every command and option that the product's reference names, long and short, is taken.

Without a driver: a command line that is understood fails for that reason, or sets something
in ha.conf; one that is not has the exit status of a bad command line.
"""

import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from common import DEVICE, GROUP, Machine, NOT_FOUND, OK, REFUSED, USAGE, expect, run_tests

# {a|b} stands for each of these, once.
REFERENCE = f'''
{{hagroup|ha|HAGroup}} {{creategroup|createGroup}} {{-serialnumber 1|-serialNumber 1|-serial 1|-se 1|\
-slot 1|-sl 1}} {{-label|-l}} new {{-password|-p}} secret-12
hagroup addmember {{-group|-g}} {GROUP} {{-serialnumber 1|-serial 1|-se 1|-slot 1|-sl 1}} \
{{-password|-p}} secret-12
hagroup addstandby {{-group|-g}} {GROUP} {{-serialnumber 1|-se 1|-slot 1|-sl 1}} {{-password x|-p x|}}
hagroup removestandby {{-group|-g}} {GROUP} {{-serialnumber 1|-se 1|-slot 1|-sl 1}}
hagroup removemember {{-group|-g}} {GROUP} {{-serial 1|-serialnumber 1|-se 1|-slot 1|-sl 1}}
hagroup deletegroup {{-label|-l}} {GROUP} {{-force|-f|}}
hagroup {{listgroups|listGroups}} {{-group {GROUP}|-g {GROUP}|}} {{-password x|-p x|}}
hagroup synchronize {{-group|-g}} {GROUP} {{-password x|-p x|-enable|-disable|}}
hagroup recover {{-group|-g}} {GROUP}
hagroup {{recoverymode|recoveryMode}} -mode {{activeBasic|activeEnhanced|ACTIVEBASIC}}
{{hagroup|ha}} {{retry|rt}} {{-count|-c}} {{-1|0|1|3|500}}
hagroup interval {{-interval|-i}} {{60|1200}}
hagroup {{haonly|HAOnly}} {{-enable|-disable|-show}}
hagroup {{halog|haLog}} {{-disable|-enable|-path /var/log|-maxlength 262144|-show}}
slot list
slot set {{-slot|-s|-sl}} 1
slot partitionlist {{-slot|-s}} 1
hsm init {{-label|-l}} x {{-iped|-initwithpwd|}} {{-password x|-p x|}} {{-domain y|}} \
{{-applytemplate z|-at z|}} {{-auth|-a|}} {{-force|-f|}}
hsm {{showinfo|show}}
hsm showpolicies {{-exporttemplate z|-et z|}} {{-verbose|-v|}}
hsm {{changehsmpolicy|changepolicy}} -policy 7 -value 1
hsm {{factoryreset|factoryReset}}
hsm zeroize
hsm tamper
hsm audit
partition create {{-slot 100|}} {{-size 1000000|}} {{-version 0|}} {{-force|-f|}}
partition init {{-label|-l}} x {{-password x|-p x|}} {{-domain y|-d y|}} {{-applytemplate z|-at z|}} \
{{-defaultdomain|-def|}} {{-auth|-a|}} {{-force|-f|}}
partition delete -slot 1 {{-force|-f|}}
partition resize -slot 1 {{-size 1000|-all}}
partition {{showinfo|show}}
partition showpolicies {{-slot 1|-s 1|}} {{-verbose|-v|}} {{-exporttemplate z|-et z|}}
partition changepolicy -policy 20 -value 5 {{-slot 1|}} {{-force|-f|}}
partition contents
partition clear {{-force|-f|}}
partition clone -objects 0 -slot 1 {{-password x|-p x|}} {{-force|-f|}}
role login {{-name|-n}} {{so|po|co|lco|cu|au|CO}} {{-password x|-p x|}}
role logout
role list
role show {{-name|-n}} co
role init {{-name|-n}} {{co|lco|cu|au}} {{-password x|-p x|}}
role changepw {{-name|-n}} co {{-oldpw x|-old x|}} {{-newpw x|-new x|}} {{-prompt|-p|}} {{-force|-f|}}
role resetpw {{-name|-n}} {{co|cu}} {{-password x|-p x|}}
role {{createchallenge|createChallenge}} {{-name|-n}} {{co|lco|cu}} {{-challengesecret x|-challenge x|}}
role deactivate {{-name|-n}} {{co|lco|cu}}
'''


def forms(line):
    """Each alternative of each {a|b} once; in the others, the first one."""
    parts = re.split(r'(\{[^}]*\})', line)
    choices = [p[1:-1].split('|') if p.startswith('{') else [p] for p in parts]
    for i in range(max(map(len, choices))):
        yield ''.join(c[min(i, len(c) - 1)] for c in choices).split()
        yield ''.join(c[i if i < len(c) else 0] for c in choices).split()


def test_forms_of_the_reference():
    machine = Machine('reference', 'none')
    wrong, tried = [], set()
    for line in REFERENCE.strip().split('\n'):
        for words in forms(line):
            if tuple(words) in tried:
                continue
            tried.add(tuple(words))
            status, out, err = machine.run(*words)
            # REFUSED: what another model alone can do
            if status not in (OK, DEVICE, NOT_FOUND, REFUSED):
                wrong.append(f'{" ".join(words)}: exit status {status}\n{out}{err}')
    print(f'# {len(tried)} forms')
    expect('forms that are not taken', '\n'.join(wrong), '')


def test_what_is_in_no_reference_is_not_taken():
    machine = Machine('not-reference', 'none')
    for line in ('hagroup listg', 'hag listgroups', 'hagroup retry -cou 3', 'hagroup retry -count 501',
                 'hagroup retry -count -2', 'hagroup interval -i 59', 'hagroup interval -i 1201',
                 'hagroup recoverymode -mode activebasi', 'hagroup halog -maxlength 1023',
                 'hagroup creategroup -slot 1 -serial 1 -label x', 'role login -name cox',
                 'partition resize -slot 1', 'hsm init -iped -initwithpwd -label x',
                 'hagroup addmember -slot 1'):
        status, out, err = machine.run(*line.split())
        expect(f'exit status of "{line}" ({out}{err})', status, USAGE)


if __name__ == '__main__':
    sys.exit(run_tests([f for n, f in list(globals().items()) if n.startswith('test_')]))
