#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
#
# usage: check-docs.py ROOT TREE FILE...
#
# Is what users meet documented?  FILEs are the sources of the series, below ROOT;
# TREE is the kernel with the series.  Prints what is missing, or is described and
# not there: files in sysfs, module parameters, states, policies, events,
# tracepoints, and what the log may say.  Is the table of tools what its test has made
# of it, and does that test follow each part of the section on moving a system?

import re
import sys
from pathlib import Path

import debian_tools

root, tree = Path(sys.argv[1]), Path(sys.argv[2])
sources = {f: (root / f).read_text() for f in sys.argv[3:]}
all_sources = '\n'.join(sources.values())
abi_files = sorted((root / 'Documentation/ABI/testing').iterdir())
abi = '\n'.join(f.read_text() for f in abi_files)
guide_file = 'Documentation/scsi/scsi-multipath.rst'
guide = (root / guide_file).read_text()
parameters_file = 'Documentation/scsi/scsi-parameters.rst'
parameters = (tree / parameters_file).read_text()

# Where the files of each table of attributes are.
folders = {
    'mpath_disk_attrs': '/sys/block/<disk>/',
    'sd_mpath_path_attrs': '/sys/block/sdX:Y/',
    'sd_mpath_class_attrs': '/sys/class/scsi_mpath_disk/scsi_mpath_diskN/',
    'scsi_mpath_head_attrs': '/sys/class/scsi_mpath_device/scsi_mpath_deviceN/',
    'scsi_mpath_sdev_attrs': '/sys/bus/scsi/devices/H:C:T:L/',
}
links = {
    'mpath_disk_link_group': '/sys/block/<disk>/multipath/<path>',
    'scsi_mpath_head_link_group':
        '/sys/class/scsi_mpath_device/scsi_mpath_deviceN/multipath/H:C:T:L',
    '"scsi_mpath_device"': '/sys/bus/scsi/devices/H:C:T:L/scsi_mpath_device',
}


def attributes(text):
    """The variables of attributes, each with its file's name and mode."""
    found = {}
    for how, name in re.findall(r'\bDEVICE_ATTR_(RO|RW|WO)\((\w+)\)', text):
        found[f'dev_attr_{name}'] = name, how
    for prefix, name in re.findall(r'^(\w*)MPATH_COUNTER\((\w+),\s*\w+\);', text, re.M):
        found[f'{prefix.lower()}mpath_attr_{name}'] = f'mpath_{name}', 'RW'
    return found


def sysfs_files():
    """The path of each file in sysfs, and its mode."""
    files = {}
    for source, text in sources.items():
        known = attributes(text)
        for table, body in re.findall(r'struct attribute \*(\w+)\[\] = \{(.*?)\};', text, re.S):
            entries = re.findall(r'&(\w+)\.attr', body)
            if entries and table not in folders:
                print(f'{source}: {table}: where are its files?')
                continue
            for entry in entries:
                if entry not in known:
                    print(f'{source}: {table}: what is {entry}?')
                    continue
                name, mode = known.pop(entry)
                files[folders[table] + name] = mode
        for entry in known:
            print(f'{source}: {entry} is in no table')
        for link in re.findall(r'sysfs_(?:add_link_to_group|create_link)\((.*?)\);', text, re.S):
            where = [path for key, path in links.items() if key in link]
            if not where:
                print(f'{source}: where is this link? {" ".join(link.split())}')
            files.update((path, 'link') for path in where)
    return files


def check_sysfs():
    files = sysfs_files()
    described = {}
    for f in abi_files:
        for entry in re.split(r'^(?=What:)', f.read_text(), flags=re.M)[1:]:
            what = re.match(r'What:\s*(\S+)', entry)[1]
            mode = re.search(r'^Description:\s*\((\w\w)\)', entry, re.M)
            for field in 'Date', 'KernelVersion', 'Contact', 'Description':
                if not re.search(rf'^{field}:\s*\S', entry, re.M):
                    print(f'{f.name}: {what} has no {field}')
            described[what] = mode[1] if mode else 'link'
    for path, mode in files.items():
        if path not in described:
            print(f'{path} is not in Documentation/ABI')
        elif described[path] != mode:
            print(f'{path} is {mode}, and {described[path]} in Documentation/ABI')
        if not re.search(rf'/{re.escape(path.split("/")[-1])}\b', guide) and mode != 'link':
            print(f'{path} is not in {guide_file}')
    for path in described:
        if path not in files and not path.endswith('/'):
            print(f'{path} is in Documentation/ABI, and nowhere else')


def check_parameters():
    ours = set(re.findall(r'^module_param\w*\((\w+),', all_sources, re.M))
    for name in ours:
        if f'\tscsi_mod.{name}=\n' not in parameters:
            print(f'scsi_mod.{name} is not in {parameters_file}')
        if f'/sys/module/scsi_mod/parameters/{name}' not in guide:
            print(f'scsi_mod.{name} is not in {guide_file}')
    for name in re.findall(r'^\tscsi_mod\.(multipath\w*)=', parameters, re.M):
        if name not in ours:
            print(f'scsi_mod.{name} is in {parameters_file}, and nowhere else')


def literals(pattern, what):
    """Words of the sources that have to be in the guide."""
    count = 0
    for text in sources.values():
        for word in re.findall(pattern, text, re.S | re.M):
            count += 1
            if f'``{word}``' not in guide and not re.search(rf'^{re.escape(word)}  ', guide, re.M):
                print(f'{what} "{word}" is not in {guide_file}')
    if not count:
        print(f'no {what} was found: this has to be brought up to date')


def check_words():
    literals(r'\[MPATH_\w+\]\s*= "([^"]+)",', 'state or policy')
    literals(r'\[SCSI_MPATH_\w+\]\s*= "([^"]+)",', 'mode')
    literals(r'return "((?:not|no|removable|its|out)\b[^"]*)";', 'reason')
    literals(r'scsi_mpath_why = "([^"]+)";', 'reason')
    literals(r'"no: ([^%"]+)\\n"', 'reason')
    literals(r'mpath_send_event\(head, (?:\w+ \? )?"([^"]+)"', 'event')
    literals(r'mpath_send_event\(head, \w+ \? "[^"]+" : "([^"]+)"', 'event')
    literals(r'^(?:DEFINE|TRACE)_EVENT\((?:mpath_bio, )?(\w+),', 'tracepoint')


def check_states():
    """mpath_state is a list of words."""
    what = re.search(r'^What:\s*/sys/block/sdX:Y/mpath_state$(.*?)^What:', abi, re.S | re.M)[1]
    listed = re.search(r'one of(.*?)\.', what, re.S)[1].replace(',', ' ').replace(' and ', ' ').split()
    states = re.findall(r'\[MPATH_\w+\]\s*= "([^"]+)"',
                        re.search(r'mpath_state_names\[\] = \{(.*?)\};', all_sources, re.S)[1])
    if sorted(listed) != sorted(states):
        print(f'mpath_state in Documentation/ABI: {set(listed) ^ set(states)}')


def messages():
    """What the sources, and the patches to others, say in the log."""
    call = re.compile(r'\b(?:pr|dev|sdev|sd|scmd)_(?:\w+_)?'
                      r'(?:err|warn|info|notice|dbg|printk)\w*\((.*?)\);', re.S)
    texts = dict(sources)
    for patch in sorted((root / 'patches').glob('*.patch')):
        added = re.findall(r'^\+(?!\+)(.*)$', patch.read_text(), re.M)
        texts[patch.name] = '\n'.join(added)
    for source, text in texts.items():
        for body in call.findall(text):
            parts = re.findall(r'"((?:[^"\\]|\\.)*)"', body)
            if parts:
                yield source, ''.join(parts).replace('\\n', '')


def section(title):
    """What the guide has below a title, up to the next one."""
    return re.search(rf'^{title}\n=+\n(.*?)^[^\n]+\n===', guide, re.S | re.M)[1]


def check_messages():
    text = ' '.join(guide.replace('``', ' ').split())
    patterns = []
    for source, message in messages():
        # Of a name at the beginning, where there is one, nothing is asked.
        words = re.sub(r'^(?:%s: )+', '', message)
        parts = re.split(r'%[-#0-9.*]*(?:ll|l|z)?[a-zA-Z]', words)
        pattern = r'\S(?:.{0,60}?\S)??'.join(re.escape(' '.join(p.split(' '))) for p in parts)
        patterns.append(pattern)
        if not re.search(pattern, text):
            print(f'{source}: "{message}" is not in {guide_file}')
    if not patterns:
        print('no message was found: this has to be brought up to date')
    for terms in re.findall(r'^``.*?``$', section('Messages in the log'), re.S | re.M):
        for term in re.findall(r'``(.*?)``', terms, re.S):
            if not any(re.search(pattern, ' '.join(term.split())) for pattern in patterns):
                print(f'{guide_file}: nothing says "{term}"')


def check_debian():
    tools = 'Documentation/scsi/scsi-multipath-tools.txt'
    if (root / tools).read_text() != debian_tools.table():
        print(f'{tools} is not what dev/debian_tools.py makes')
    followed = (root / 'dev/debian.py').read_text()
    for part in re.findall(r'^(.+)\n---+$', section('Moving from dm-multipath and back'), re.M):
        if f'follow("{part}")' not in followed:
            print(f'dev/debian.py does not follow "{part}"')


check_sysfs()
check_parameters()
check_words()
check_states()
check_messages()
check_debian()
